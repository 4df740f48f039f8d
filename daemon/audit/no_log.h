#ifndef SASLATCH_DAEMON_AUDIT_NO_LOG_H_
#define SASLATCH_DAEMON_AUDIT_NO_LOG_H_

#include "daemon/audit/log.h"

namespace saslatch {

// For whoever asks a part of the daemon something and shows the answer himself.
class NoLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view,
             std::initializer_list<LogField>) override {}
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_NO_LOG_H_
