// Input: one byte that chooses the pieces, then what the server sends.
//
// Holds that AuthClient reads the same however the bytes arrive, lets nobody in without a name, and
// sends whole lines only.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "protocol/dovecot/auth_client.h"

namespace {

using namespace saslatch::dovecot;

void require(bool holds) {
  if (!holds) std::abort();
}

class Owner {
 public:
  explicit Owner(AuthClient& client) : client_(client) {}

  void operator()(const ServerReady&) {
    events += "ready";
    for (int i = 0; i < 3; ++i) {
      client_.authenticate({.mechanism = client_.server().mechanisms.front().name,
                            .session = client_.server().cookie,
                            .initial_response = client_.server().cookie});
    }
  }
  void operator()(const ChallengeReceived& challenge) {
    events += "C" + std::to_string(challenge.id) + challenge.challenge;
    if (challenge.challenge == "*") {
      client_.cancel(challenge.id);
    } else if (client_.respond(challenge.id, challenge.challenge)) {
      require(!client_.respond(challenge.id, ""));
    }
  }
  void operator()(const OkReceived& ok) {
    require(!ok.user.empty());
    events += "O" + std::to_string(ok.id) + ok.user + ok.final_data.value_or("-");
  }
  void operator()(const FailReceived& fail) {
    events += "F" + std::to_string(fail.id) + fail.user + fail.reason +
              std::to_string(static_cast<int>(fail.code)) + fail.final_data.value_or("-");
  }
  void operator()(const ProtocolError& error) { events += "E" + error.reason; }

  std::string events;

 private:
  AuthClient& client_;
};

std::string run(std::string_view bytes, size_t chunk) {
  AuthClient client(1);
  Owner owner(client);
  std::string output;
  while (!bytes.empty()) {
    client.receive(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
    while (const auto event = client.next()) std::visit(owner, *event);
    output += client.take_output().reveal();
  }
  require(output.empty() || output.ends_with('\n'));
  require(output.find_first_of(std::string_view("\r\0", 2)) == std::string::npos);
  require(client.server().mechanisms.size() <= kMaxMechanisms);
  require(client.live_requests() <= 3);
  return owner.events + "\n" + output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (!bytes.empty()) require(run(bytes, bytes.size()) == run(bytes, 1 + data[0] % 7));
  return 0;
}
