#ifndef SASLATCH_DAEMON_PASSDB_BACKOFF_H_
#define SASLATCH_DAEMON_PASSDB_BACKOFF_H_

#include <chrono>

#include "protocol/base/random.h"

namespace saslatch::passdb {

// When to try a server again that could not be reached: after a quarter of a second, then after
// twice as long each time, kLongest at most; each wait shortened by up to a half at random, so that
// the hosts of a site do not come back all at once. Not thread-safe.
class Backoff {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kShortest{250};
  // A server that is back is noticed within this time.
  static constexpr std::chrono::milliseconds kLongest{5000};

  // `random` outlives it.
  explicit Backoff(Random& random) : random_(random) {}

  void failed(Time now);
  void succeeded() { failures_ = 0; }
  // Whether it may be tried now.
  [[nodiscard]] bool is_over(Time now) const { return failures_ == 0 || now >= retry_at_; }
  // When; of meaning only while !is_over().
  [[nodiscard]] Time retry_at() const { return retry_at_; }

 private:
  Random& random_;
  int failures_ = 0;
  Time retry_at_{};
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_BACKOFF_H_
