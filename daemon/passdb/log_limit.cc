#include "daemon/passdb/log_limit.h"

namespace saslatch::passdb {

bool LogLimit::admits(std::string_view key, Time now) {
  const std::lock_guard lock(mutex_);
  const auto known = said_.find(std::string(key));
  if (known != said_.end()) {
    if (now - known->second < kInterval) return false;
    known->second = now;
    return true;
  }
  if (said_.size() >= kMaxKeys) {
    // A sweep costs a look at every key, so a flood of new ones pays for it once a second only.
    if (now < next_sweep_) return false;
    next_sweep_ = now + std::chrono::seconds(1);
    std::erase_if(said_, [now](const auto& entry) { return now - entry.second >= kInterval; });
    if (said_.size() >= kMaxKeys) return false;
  }
  said_.emplace(key, now);
  return true;
}

}  // namespace saslatch::passdb
