#ifndef SASLATCH_DAEMON_AUDIT_ONCE_PER_MINUTE_H_
#define SASLATCH_DAEMON_AUDIT_ONCE_PER_MINUTE_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace saslatch {

// Keeps a trouble that lasts from filling the log: one of these for each kind of complaint.
// Thread-safe.
class OncePerMinute {
 public:
  // True at most once in 60 s; the first call always.
  [[nodiscard]] bool due(std::chrono::steady_clock::time_point now) {
    const int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
    int64_t next = next_.load(std::memory_order_relaxed);
    return at >= next && next_.compare_exchange_strong(next, at + kMinute);
  }

  // The trouble is over: the next one is told at once.
  void reset() { next_.store(INT64_MIN, std::memory_order_relaxed); }

 private:
  static constexpr int64_t kMinute = 60'000'000'000;
  std::atomic<int64_t> next_{INT64_MIN};
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_ONCE_PER_MINUTE_H_
