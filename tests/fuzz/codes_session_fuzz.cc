// Bytes at the self-service door, before and after a login. Whatever comes, each line is answered
// by one line of JSON at most, and the session keeps its bound. There is no database: nothing is
// made.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/control/codes_session.h"
#include "tests/daemon/session/world.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saslatch;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  testing::World world;
  world.passdb->add("alice", "{PLAIN}secret");
  passdb::CodeBook book("/nonexistent");
  control::CodesDoor door{"/nonexistent", world.random, book};
  const auto box = std::make_shared<testing::LetterBox>();
  control::CodesSession session(
      SessionParts{world.services, world.holds, world, world.settings, box, "door", 1, 4711}, door,
      world.now);
  box->session = &session;
  if ((bytes[0] & 1) != 0) {
    session.receive("{\"command\":\"login\",\"user\":\"alice\",\"password\":\"secret\"}\n",
                    world.now);
  }
  for (std::string_view rest = bytes.substr(1); !rest.empty();) {
    const size_t piece = std::min<size_t>(rest.size(), 1 + rest.size() % 97);
    session.receive(rest.substr(0, piece), world.now);
    rest.remove_prefix(piece);
    world.advance(std::chrono::milliseconds(700));
    session.on_deadline(world.now);
    box->empty_into(world.now);
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
  if (replies > lines + 2) std::abort();
  return 0;
}
