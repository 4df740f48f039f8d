#include "daemon/audit/failure_log.h"

#include <type_traits>

namespace saslatch {
namespace {

void log_attempt(Log& log, const AuthEvent& e) {
  const std::string cause(e.cause ? to_string(*e.cause) : std::string_view());
  switch (e.outcome) {
    case AuthOutcome::kOk:
      return;
    case AuthOutcome::kFail:
      log.info("auth-failed", "authentication failed",
               {{"user", e.user},
                {"rip", e.rip},
                {"mech", e.mech},
                {"cause", cause},
                {"service", e.service},
                {"listener", e.listener}});
      return;
    case AuthOutcome::kRefused:
      log.info("auth-refused", "authentication refused unchecked",
               {{"user", e.user},
                {"rip", e.rip},
                {"mech", e.mech},
                {"cause", cause},
                {"service", e.service},
                {"listener", e.listener},
                {"rule", e.rule},
                {"subject", e.subject}});
      return;
    case AuthOutcome::kTemporary:
      log.warning("auth-temporary", "authentication could not be decided",
                  {{"user", e.user},
                   {"rip", e.rip},
                   {"mech", e.mech},
                   {"cause", cause},
                   {"service", e.service},
                   {"listener", e.listener}});
      return;
  }
}

struct Teller {
  Log& log;
  void operator()(const AuthEvent& e) const { log_attempt(log, e); }
  void operator()(const LockEvent& e) const {
    log.warning("locked", "a subject was locked",
                {{"subject", e.subject},
                 {"rule", e.rule},
                 {"level", std::to_string(e.level)},
                 {"by", e.by}});
  }
  void operator()(const UnlockEvent& e) const {
    log.info("unlocked", "locks were cleared",
             {{"subject", e.subject}, {"rule", e.rule}, {"by", e.by}});
  }
  void operator()(const StaleCredentialEvent& e) const {
    log.info("stale-credential", "a device still tries a credential that was given up",
             {{"user", e.user},
              {"rip", e.rip},
              {"mech", e.mech},
              {"credential", e.credential},
              {"why", e.why},
              {"service", e.service},
              {"listener", e.listener}});
  }
  // Their own line is written where they happen.
  void operator()(const AdminEvent&) const {}
  void operator()(const DaemonEvent&) const {}
};

}  // namespace

void FailureLog::write(const Event& event) {
  std::visit(Teller{log_}, event);
  if (next_ != nullptr) next_->write(event);
}

}  // namespace saslatch
