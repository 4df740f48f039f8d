// Input: one byte that chooses how the owner answers, then what the client sends. What the server
// writes is read by the client half.
//
// Holds that MasterServer says and does the same however the bytes arrive, that its lines are no
// longer than a client reads, and that MasterClient reads them all.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

#include "protocol/dovecot/master_client.h"
#include "protocol/dovecot/master_server.h"

namespace {

using namespace saslatch::dovecot;

void require(bool holds) {
  if (!holds) std::abort();
}

class Owner {
 public:
  Owner(MasterServer& server, uint8_t manner) : server_(server), manner_(manner) {}

  void operator()(const UserRequest& request) {
    events += "U" + std::to_string(request.id) + request.name + request.service;
    require(!request.name.empty());
    switch ((manner_ + request.id) % 4) {
      case 0:
        server_.found(request.id, {.name = request.name, .uid = request.id, .home = home(request)});
        break;
      case 1:
        server_.not_found(request.id);
        break;
      case 2:
        server_.fail(request.id, request.name);
        break;
      default:
        break;  // never answered
    }
  }
  void operator()(const ListRequest& request) {
    events += "L" + std::to_string(request.id) + request.mask + request.service;
    require(server_.is_listing());
    require(!server_.next());
    server_.list_entry(request.id, request.mask);
    server_.list_entry(request.id, std::string(longest(8190), 'n'));
    if (manner_ % 3 == 0) return server_.fail(request.id);
    server_.list_done(request.id, manner_ % 3 == 1);
  }
  void operator()(const ProtocolError& error) { events += "E" + error.reason; }

  std::string events;

 private:
  std::string home(const UserRequest& request) {
    return manner_ % 2 == 0 ? request.service : std::string(longest(8100), 'h');
  }
  // Of one answer a session: megabytes of them would be most of the work.
  size_t longest(size_t most) { return std::exchange(is_first_, false) ? most : 1; }

  MasterServer& server_;
  uint8_t manner_;
  bool is_first_ = true;
};

std::string run(uint8_t manner, std::string_view bytes, size_t chunk) {
  MasterServer server(1);
  MasterClient client;
  Owner owner(server, manner);
  std::string output;
  while (!bytes.empty()) {
    server.receive(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
    while (const auto event = server.next()) std::visit(owner, *event);
    output += server.take_output();
  }
  require(server.live_requests() <= kMaxLiveMasterRequests);
  client.receive(output);
  while (const auto reply = client.next()) require(!std::holds_alternative<ProtocolError>(*reply));
  return owner.events + "\n" + output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(run(data[0], bytes, bytes.size() + 1) == run(data[0], bytes, 1 + data[0] % 7));
  return 0;
}
