#include "tests/bench/latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace saslatch::bench {

// Below kSub each value has its own bucket; above, the leading kSubBits + 1 bits choose one.
size_t Latencies::bucket_of(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kSubBits - 1);
  return static_cast<size_t>(shift) * kSub + static_cast<size_t>(value >> shift);
}

uint64_t Latencies::end_of(size_t bucket) {
  if (bucket < 2 * kSub) return bucket;
  const size_t shift = bucket / kSub - 1;
  return ((bucket - shift * kSub + 1) << shift) - 1;
}

void Latencies::add(Duration latency) {
  latency = std::max(latency, Duration{0});
  ++buckets_[bucket_of(static_cast<uint64_t>(latency.count()))];
  ++count_;
  max_ = std::max(max_, latency);
}

Duration Latencies::percentile(double percent) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) {
      return std::min(Duration(static_cast<int64_t>(end_of(i))), max_);
    }
  }
  return max_;
}

}  // namespace saslatch::bench
