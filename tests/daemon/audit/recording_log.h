#ifndef SASLATCH_TESTS_DAEMON_AUDIT_RECORDING_LOG_H_
#define SASLATCH_TESTS_DAEMON_AUDIT_RECORDING_LOG_H_

#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/audit/log_targets.h"

namespace saslatch {

// Keeps every line, written as the daemon would write it.
class RecordingLog final : public Log {
 public:
  void write(LogLevel, std::string_view name, std::string_view text,
             std::initializer_list<LogField> fields) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(format_log_line(name, text, fields));
  }

  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  // How many lines have this name.
  size_t count(std::string_view name) const {
    size_t n = 0;
    for (const std::string& line : lines()) n += line.rfind(std::string(name) + ": ", 0) == 0;
    return n;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace saslatch

#endif  // SASLATCH_TESTS_DAEMON_AUDIT_RECORDING_LOG_H_
