#ifndef SASLATCH_DAEMON_PASSDB_LOG_LIMIT_H_
#define SASLATCH_DAEMON_PASSDB_LOG_LIMIT_H_

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace saslatch::passdb {

// Keeps a trouble that each login meets from filling the log: the same one is said once a minute.
// Remembers at most kMaxKeys troubles; while it is full of young ones, further ones are not said.
// Thread-safe.
class LogLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kInterval{60};
  static constexpr size_t kMaxKeys = 1000;

  // True if the trouble called `key` should be said now.
  [[nodiscard]] bool admits(std::string_view key, Time now);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, Time> said_;
  Time next_sweep_{};
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_LOG_LIMIT_H_
