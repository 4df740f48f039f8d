#ifndef SASLATCH_DAEMON_AUDIT_FAILURE_LOG_H_
#define SASLATCH_DAEMON_AUDIT_FAILURE_LOG_H_

#include "daemon/audit/audit.h"
#include "daemon/audit/log.h"

namespace saslatch {

// Says each attempt that was not let in in the plain log as well (`auth-failed` at info,
// `auth-refused` at info, `auth-temporary` at warning: user, rip, mech, cause), and each lock and
// unlock; hands every event on to the next sink. Thread-safe if the next sink is.
class FailureLog final : public AuditSink {
 public:
  // Both outlive it. `next` may be null: no audit log.
  FailureLog(Log& log, AuditSink* next) : log_(log), next_(next) {}
  void write(const Event& event) override;

 private:
  Log& log_;
  AuditSink* next_;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_FAILURE_LOG_H_
