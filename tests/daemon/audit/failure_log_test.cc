#include "daemon/audit/failure_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/audit/recording_log.h"

namespace saslatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CountingSink final : public AuditSink {
 public:
  void write(const Event&) override { ++events; }
  int events = 0;
};

AuthEvent attempt(AuthOutcome outcome, std::optional<AuthCause> cause) {
  AuthEvent e;
  e.outcome = outcome;
  e.cause = cause;
  e.user = "bob rip=127.0.0.1";
  e.rip = "192.0.2.7";
  e.mech = "LOGIN";
  e.service = "smtp";
  e.listener = "postfix";
  return e;
}

TEST(FailureLog, NamesUserAddressMechanismAndCauseOfEachFailure) {
  RecordingLog log;
  CountingSink next;
  FailureLog sink(log, &next);
  sink.write(attempt(AuthOutcome::kOk, std::nullopt));
  EXPECT_THAT(log.lines(), IsEmpty());
  sink.write(attempt(AuthOutcome::kFail, AuthCause::kUnknownUser));
  AuthEvent refused = attempt(AuthOutcome::kRefused, AuthCause::kLocked);
  refused.rule = "guess-account";
  refused.subject = "user:bob";
  sink.write(refused);
  sink.write(attempt(AuthOutcome::kTemporary, AuthCause::kPassdbDown));
  EXPECT_THAT(
      log.lines(),
      ElementsAre(
          R"(auth-failed: authentication failed user="bob rip=127.0.0.1" rip=192.0.2.7 mech=LOGIN )"
          R"(cause=unknown-user service=smtp listener=postfix)",
          R"(auth-refused: authentication refused unchecked user="bob rip=127.0.0.1" )"
          R"(rip=192.0.2.7 mech=LOGIN cause=locked service=smtp listener=postfix )"
          R"(rule=guess-account subject=user:bob)",
          R"(auth-temporary: authentication could not be decided user="bob rip=127.0.0.1" )"
          R"(rip=192.0.2.7 mech=LOGIN cause=passdb-down service=smtp listener=postfix)"));
  EXPECT_EQ(next.events, 4);
}

TEST(FailureLog, TellsLocksAndNeedsNoAuditLog) {
  RecordingLog log;
  FailureLog sink(log, nullptr);
  sink.write(LockEvent{{}, "user:bob", "guess-account", {}, 3, "policy", ""});
  sink.write(UnlockEvent{{}, "user:bob", "", "root"});
  sink.write(AdminEvent{{}, "reload", "", "root", true, ""});
  EXPECT_THAT(
      log.lines(),
      ElementsAre("locked: a subject was locked subject=user:bob rule=guess-account level=3 "
                  "by=policy",
                  R"(unlocked: locks were cleared subject=user:bob rule="" by=root)"));
}

}  // namespace
}  // namespace saslatch
