// Facts to attempts: each once, in order of time.
#include "daemon/replay/assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/replay/kit.h"

namespace saslatch::replay {
namespace {

using ::testing::ElementsAre;

std::string smtpd(const std::string& at, const std::string& message, int pid = 1) {
  return "Nov 21 " + at + " mx postfix/smtpd[" + std::to_string(pid) + "]: " + message;
}
std::string dovecot(const std::string& at, const std::string& message) {
  return "Nov 21 " + at + " mx dovecot: " + message;
}
std::string failure_of(const std::string& user) {
  return "warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: x, sasl_username=" + user;
}
const std::string kMail = "A1: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=alice";

TEST(Assembler, CountsASuccessOncePerSession) {
  EXPECT_THAT(texts_of({
                  smtpd("07:00:00", "connect from unknown[192.0.2.1]"),
                  smtpd("07:00:01", kMail),
                  smtpd("07:00:02", kMail),
                  smtpd("07:00:03", "connect from unknown[192.0.2.1]", 2),
                  smtpd("07:00:04", kMail, 2),
                  smtpd("07:00:05", "disconnect from unknown[192.0.2.1] auth=1 commands=9"),
                  smtpd("07:00:06", "connect from unknown[192.0.2.1]"),
                  smtpd("07:00:07", kMail),
              }),
              ElementsAre("07:00:01 ok alice 192.0.2.1", "07:00:04 ok alice 192.0.2.1",
                          "07:00:07 ok alice 192.0.2.1"));
}

TEST(Assembler, TellsSessionsApartWithoutConnectLines) {
  // A log that was searched for "sasl".
  EXPECT_THAT(
      texts_of({smtpd("07:00:00", kMail), smtpd("07:05:00", kMail), smtpd("07:30:00", kMail)}),
      ElementsAre("07:00:00 ok alice 192.0.2.1", "07:30:00 ok alice 192.0.2.1"));
}

TEST(Assembler, KnowsALoginWithoutMailFromItsEnd) {
  EXPECT_THAT(texts_of({
                  smtpd("07:00:00", "connect from unknown[192.0.2.1]"),
                  smtpd("07:00:05", "disconnect from unknown[192.0.2.1] auth=1 commands=9"),
                  smtpd("07:00:06", "connect from unknown[192.0.2.1]"),
                  smtpd("07:00:07", "disconnect from unknown[192.0.2.1] auth=0/2 commands=9"),
                  // of which we do not know whether it had mail before the log began
                  smtpd("07:00:08", "disconnect from unknown[192.0.2.1] auth=1 commands=9", 7),
              }),
              ElementsAre("07:00:05 ok - 192.0.2.1"));
}

TEST(Assembler, CountsAPassdbChainOnce) {
  EXPECT_THAT(texts_of({
                  dovecot("07:00:00", "auth: passwd-file(alice,192.0.2.1,<s>): Password mismatch"),
                  dovecot("07:00:00", "auth: passwd-file(alice,192.0.2.1,<s>): unknown user"),
                  dovecot("07:00:06", "auth: passwd-file(alice,192.0.2.1,<s>): Password mismatch"),
              }),
              ElementsAre("07:00:00 bad alice 192.0.2.1", "07:00:06 bad alice 192.0.2.1"));
}

TEST(Assembler, DropsAPassdbThatDidNotKnowWhomAnotherOneLetIn) {
  EXPECT_THAT(texts_of({
                  dovecot("07:00:00", "auth: passwd-file(bob,192.0.2.1,<s>): unknown user"),
                  dovecot("07:00:00",
                          "imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.1, "
                          "lip=198.51.100.5, session=<s>"),
              }),
              ElementsAre("07:00:00 ok bob 192.0.2.1"));
}

TEST(Assembler, CountsWhatAuthAndLoginProcessTellOnce) {
  EXPECT_THAT(
      texts_of({
          dovecot("07:00:00", "auth: passwd-file(alice,192.0.2.1,<s>): Password mismatch"),
          dovecot("07:00:02", "auth: passwd-file(carol,192.0.2.1,<s>): unknown user"),
          dovecot("07:00:04",
                  "imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 4 "
                  "secs): user=<carol>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.5, "
                  "session=<s>"),
      }),
      // Three attempts, two of them told by auth: one more with the last name.
      ElementsAre("07:00:00 bad alice 192.0.2.1", "07:00:02 unknown carol 192.0.2.1",
                  "07:00:04 bad carol 192.0.2.1"));
}

TEST(Assembler, CountsWhatAuthAndSmtpdTellOnce) {
  EXPECT_THAT(
      texts_of({
          dovecot("07:00:00", "auth: passwd-file(alice,192.0.2.1): unknown user"),
          smtpd("07:00:02", failure_of("alice")), smtpd("07:00:04", failure_of("alice")),
          dovecot("07:00:06", "auth: passwd-file(alice,192.0.2.1): unknown user"),
          smtpd("07:00:08",
                "warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: x"),  // 3.7.0
          dovecot("07:10:00", "auth: passwd-file(alice,192.0.2.1): unknown user"),
          smtpd("07:20:00", failure_of("alice")),  // too late to be the same
      }),
      ElementsAre("07:00:00 unknown alice 192.0.2.1", "07:00:04 bad alice 192.0.2.1",
                  "07:00:06 unknown alice 192.0.2.1", "07:10:00 unknown alice 192.0.2.1",
                  "07:20:00 bad alice 192.0.2.1"));
}

TEST(Assembler, PutsDisorderRightAndFollowsAClockThatStepsBack) {
  LineReader reader(Format::kAuto, utc_zone(), kWritten);
  Assembler assembler;
  for (const char* at : {"07:00:00", "07:00:09", "07:00:03", "07:00:10", "06:00:00", "06:00:01"})
    assembler.feed({std::get<Fact>(reader.read(smtpd(at, failure_of("alice")))), 0, 0});
  assembler.finish();
  std::vector<std::string> seen;
  while (const auto attempt = assembler.next()) seen.push_back(to_text(*attempt).substr(0, 8));
  EXPECT_THAT(seen,
              ElementsAre("07:00:00", "07:00:03", "07:00:09", "07:00:10", "06:00:00", "06:00:01"));
  EXPECT_EQ(assembler.figures().late, 1u);
  EXPECT_EQ(assembler.figures().steps_back, 1u);
  EXPECT_EQ(shown(assembler.figures().longest_step), "1h");
}

TEST(Assembler, GivesTheNextAttemptAsSoonAsNothingCanChangeIt) {
  LineReader reader(Format::kAuto, utc_zone(), kWritten);
  Assembler assembler;
  const auto feed = [&](const char* at) {
    assembler.feed({std::get<Fact>(reader.read(smtpd(at, failure_of("alice")))), 0, 0});
  };
  feed("07:00:00");
  EXPECT_FALSE(assembler.next());
  feed("07:00:05");
  EXPECT_FALSE(assembler.next());
  feed("07:01:00");
  EXPECT_TRUE(assembler.next());
}

std::string audit(int second, const std::string& fields) {
  return R"({"ts":"2030-11-21T07:00:0)" + std::to_string(second) +
         R"(Z","event":"auth","outcome":"fail","cause":"bad-credential","rip":"192.0.2.1",)" +
         fields + "}";
}

TEST(Assembler, GivesRepeatedPasswordsTheSameStandIn) {
  const auto attempts = attempts_of({
      audit(0, R"("user":"alice","mech":"PLAIN","repeat":false)"),
      audit(1, R"("user":"alice","mech":"PLAIN","repeat":true)"),
      audit(2, R"("user":"alice","mech":"PLAIN","repeat":false)"),
      audit(3, R"("user":"bob","mech":"PLAIN","repeat":false)"),
      audit(4, R"("user":"alice","mech":"CRAM-MD5","repeat":false)"),
      audit(5, R"("user":"alice","mech":"PLAIN","repeat":true)"),
  });
  ASSERT_EQ(attempts.size(), 6u);
  EXPECT_EQ(attempts[0].password, attempts[1].password);
  EXPECT_NE(attempts[1].password, attempts[2].password);
  EXPECT_NE(attempts[2].password, attempts[3].password);
  EXPECT_FALSE(attempts[4].password);
  EXPECT_EQ(attempts[5].password, attempts[2].password);
}

TEST(Assembler, TakesNoPasswordOfARefusedAttemptForTheLastOne) {
  const auto attempts = attempts_of({
      audit(0, R"("user":"alice","mech":"PLAIN","repeat":false)"),
      R"({"ts":"2030-11-21T07:00:01Z","event":"auth","outcome":"refused","cause":"locked",)"
      R"("user":"alice","rip":"192.0.2.1","mech":"PLAIN","repeat":false})",
      audit(2, R"("user":"alice","mech":"PLAIN","repeat":true)"),
  });
  ASSERT_EQ(attempts.size(), 3u);
  EXPECT_NE(attempts[0].password, attempts[1].password);
  EXPECT_EQ(attempts[0].password, attempts[2].password);
}

}  // namespace
}  // namespace saslatch::replay
