// Bytes on the control socket. Whatever comes, each line is answered by one line of JSON, the
// session keeps its bound, and an unprivileged peer changes nothing.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tests/daemon/control/control_world.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saslatch;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  control::ControlWorld world;
  world.login("alice", "203.0.113.9", true);
  const bool privileged = (bytes[0] & 1) != 0;
  control::ControlSession session(control::make_peer(privileged ? 0 : 1000, 990), world.commands(),
                                  world.now());
  for (std::string_view rest = bytes.substr(1); !rest.empty();) {
    const size_t piece = std::min<size_t>(rest.size(), 1 + rest.size() % 97);
    session.receive(rest.substr(0, piece), world.now());
    rest.remove_prefix(piece);
    world.advance(std::chrono::milliseconds(10));
  }
  const std::string output = session.take_output();
  size_t replies = 0;
  for (size_t begin = 0; begin < output.size(); ++replies) {
    const size_t end = output.find('\n', begin);
    if (end == std::string::npos) std::abort();
    const auto reply =
        nlohmann::json::parse(output.begin() + static_cast<ptrdiff_t>(begin),
                              output.begin() + static_cast<ptrdiff_t>(end), nullptr, false);
    if (!reply.is_object() || !reply.contains("ok")) std::abort();
    begin = end + 1;
  }
  const auto lines = static_cast<size_t>(std::count(bytes.begin() + 1, bytes.end(), '\n'));
  if (replies > lines + 1) std::abort();
  if (!privileged && !world.engine().locks(world.now().policy).empty()) std::abort();
  return 0;
}
