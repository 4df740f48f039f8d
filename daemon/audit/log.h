#ifndef SASLATCH_DAEMON_AUDIT_LOG_H_
#define SASLATCH_DAEMON_AUDIT_LOG_H_

#include <initializer_list>
#include <string>
#include <string_view>

namespace saslatch {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A typed part of a log line. Values are data from anywhere: the implementation escapes them, so
// that no name can forge a line or a field.
struct LogField {
  std::string_view key;
  std::string value;
};

// Where the daemon's messages for an administrator go. Each line has one stable `name` (kebab-case,
// listed in docs/OPERATIONS.md), an English sentence without data, and the data as fields. Never
// given a secret. Thread-safe; never blocks on more than the write itself; never throws.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view name, std::string_view text,
                     std::initializer_list<LogField> fields) = 0;

  void info(std::string_view name, std::string_view text,
            std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kInfo, name, text, fields);
  }
  void warning(std::string_view name, std::string_view text,
               std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kWarning, name, text, fields);
  }
  void error(std::string_view name, std::string_view text,
             std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kError, name, text, fields);
  }
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_LOG_H_
