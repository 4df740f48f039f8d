// Input: one byte that chooses how the owner answers, then what the client sends.
//
// Holds that AuthServer says and does the same however the bytes arrive, writes nothing but whole
// lines of the protocol, sends CANCELLED to nobody too old for it, and never has more requests live
// than it may.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "protocol/dovecot/auth_server.h"

namespace {

using namespace saslatch::dovecot;

void require(bool holds) {
  if (!holds) std::abort();
}

// What passed between a server and its owner, and what the client was sent.
struct Transcript {
  std::string events;
  std::string output;
};

class Owner {
 public:
  Owner(AuthServer& server, uint8_t manner, Transcript& transcript)
      : server_(server), manner_(manner), transcript_(transcript) {}

  void operator()(const AuthRequest& request) {
    transcript_.events += "A" + std::to_string(request.id) + request.mechanism + request.service;
    if (request.initial_response) transcript_.events += request.initial_response->reveal();
    require(request.id != 0);
    answer(request.id, request.session);
  }
  void operator()(const ContinueRequest& request) {
    transcript_.events += "C" + std::to_string(request.id);
    transcript_.events += request.response.reveal();
    answer(request.id, request.response.reveal());
  }
  void operator()(const CancelRequest& request) {
    transcript_.events += "X" + std::to_string(request.id);
    require(server_.ok(request.id, {.user = "never"}));
  }
  void operator()(const ProtocolError& error) { transcript_.events += error.reason; }

 private:
  // Uses the client's bytes as names and reasons: the worst there are.
  void answer(uint32_t id, std::string_view bytes) {
    switch ((manner_ + id) % 6) {
      case 0:
        server_.challenge(id, bytes, bytes);
        break;
      case 1:
        server_.ok(id, {.user = bytes});
        break;
      case 2:
        server_.ok(id, {.user = bytes, .final_data = bytes});
        break;
      case 3:
        server_.fail(id, {.user = bytes, .code = FailCode::kTempFail, .reason = bytes});
        break;
      case 4:
        server_.expire(id);
        break;
      default:
        break;  // never answered
    }
  }

  AuthServer& server_;
  uint8_t manner_;
  Transcript& transcript_;
};

Transcript run(uint8_t manner, std::string_view bytes, size_t chunk) {
  AuthServer server({.mechanisms = {{.name = "PLAIN"}}});
  Transcript transcript;
  transcript.output = server.take_output();
  Owner owner(server, manner, transcript);
  while (!bytes.empty()) {
    server.receive(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
    while (const auto event = server.next()) std::visit(owner, *event);
    transcript.output += server.take_output();
  }
  require(server.live_requests() <= kMaxLiveRequests);
  if (server.client_minor() < 4) {
    require(transcript.output.find("\nCANCELLED\t") == std::string::npos);
  }
  return transcript;
}

void check_lines(std::string_view output) {
  require(output.ends_with('\n'));
  require(output.find_first_of(std::string_view("\r\0", 2)) == std::string_view::npos);
  while (!output.empty()) {
    const size_t end = output.find('\n');
    const std::string_view line = output.substr(0, end);
    const std::string_view command = line.substr(0, line.find('\t'));
    require(command == "VERSION" || command == "MECH" || command == "SPID" || command == "CUID" ||
            command == "COOKIE" || command == "DONE" || command == "CONT" || command == "OK" ||
            command == "FAIL" || command == "CANCELLED");
    if (command == "OK") require(line.find("\tuser=") != std::string_view::npos);
    output.remove_prefix(end + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Transcript whole = run(data[0], bytes, bytes.size() + 1);
  const Transcript pieces = run(data[0], bytes, 1 + data[0] % 7);
  require(whole.events == pieces.events);
  require(whole.output == pieces.output);
  check_lines(whole.output);
  return 0;
}
