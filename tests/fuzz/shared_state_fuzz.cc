// What comes from Redis: replies as bytes, and what other hosts have written into it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/policy/settings.h"
#include "daemon/state/redis/codec.h"

using namespace saslatch::state::redis;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

bool is_bounded(saslatch::policy::Duration left) {
  return left.count() >= 0 && left <= saslatch::policy::kMaxLock;
}

void read_texts(const Reply& reply, const ServerClock& clock) {
  if (const auto news = decode(reply.text, clock)) {
    // What is understood is told on as it was.
    const auto again = decode(encode(*news, clock), clock);
    must(again && again->index() == news->index());
    must(encode(*again, clock) == encode(*news, clock));
  }
  (void)parse_familiar(reply.text, reply.integer, clock);
  for (const Reply& item : reply.items) read_texts(item, clock);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ServerClock clock;
  ReplyReader reader;
  reader.feed(bytes);
  while (const auto reply = reader.next()) {
    if (const auto reserved = parse_reserved(*reply)) {
      must(is_bounded(reserved->struck.left));
      for (const auto& delay : reserved->delays) must(is_bounded(delay.left));
    }
    if (const auto settled = parse_settled(*reply))
      for (const SharedLock& lock : settled->locks) must(is_bounded(lock.left) && lock.level > 0);
    read_texts(*reply, clock);
  }
  read_texts(Reply{Reply::Kind::kText, 0, std::string(bytes), {}}, clock);
  return 0;
}
