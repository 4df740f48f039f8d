#ifndef SASLATCH_TESTS_BENCH_LATENCY_H_
#define SASLATCH_TESTS_BENCH_LATENCY_H_

#include <array>
#include <chrono>
#include <cstdint>

namespace saslatch::bench {

using Duration = std::chrono::nanoseconds;

// Latencies in constant memory: a histogram whose buckets are less than 1 % wide, so that a run of
// any length is reported from all its logins and not from a sample.
class Latencies {
 public:
  void add(Duration latency);

  // The value that `percent` of all latencies do not exceed, rounded up to its bucket's end, but
  // never above max(). Zero if there are none.
  [[nodiscard]] Duration percentile(double percent) const;
  [[nodiscard]] Duration max() const { return max_; }
  [[nodiscard]] uint64_t count() const { return count_; }

 private:
  static constexpr int kSubBits = 7;  // 128 buckets for each power of two
  static constexpr size_t kSub = size_t{1} << kSubBits;

  static size_t bucket_of(uint64_t value);
  static uint64_t end_of(size_t bucket);

  std::array<uint64_t, (64 - kSubBits + 1) * kSub> buckets_{};
  uint64_t count_ = 0;
  Duration max_{0};
};

}  // namespace saslatch::bench

#endif  // SASLATCH_TESTS_BENCH_LATENCY_H_
