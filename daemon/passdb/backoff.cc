#include "daemon/passdb/backoff.h"

#include <algorithm>

namespace saslatch::passdb {

void Backoff::failed(Time now) {
  constexpr int kDoublings = 16;  // past kLongest long before
  const auto full = std::min(kLongest, kShortest * (1 << std::min(failures_, kDoublings)));
  ++failures_;
  const auto spread = static_cast<uint64_t>(full.count() / 2);
  retry_at_ = now + full - std::chrono::milliseconds(random_.below(spread + 1));
}

}  // namespace saslatch::passdb
