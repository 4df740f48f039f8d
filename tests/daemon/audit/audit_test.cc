#include "daemon/audit/audit.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace saslatch {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

// 2026-03-01T12:34:56.000789Z
const WallTime kWhen =
    WallTime(std::chrono::sys_days(std::chrono::year(2026) / 3 / 1)) + 12h + 34min + 56s + 789us;

AuthEvent wrong_password() {
  AuthEvent e;
  e.ts = kWhen;
  e.cause = AuthCause::kBadCredential;
  e.user = "alice";
  e.rip = "198.51.100.9";
  e.mech = "PLAIN";
  e.service = "smtp";
  e.listener = "postfix";
  e.took = 1503ms;
  return e;
}

TEST(AuditLine, OfAFailureHasItsFieldsInTheirOrder) {
  EXPECT_EQ(to_json_line(wrong_password()),
            R"({"ts":"2026-03-01T12:34:56.000789Z","event":"auth","outcome":"fail",)"
            R"("cause":"bad-credential","user":"alice","rip":"198.51.100.9","mech":"PLAIN",)"
            R"("service":"smtp","secured":false,"listener":"postfix","repeat":false,)"
            R"("took_us":1503000})"
            "\n");
}

TEST(AuditLine, OfASuccessHasNoCause) {
  AuthEvent e = wrong_password();
  e.outcome = AuthOutcome::kOk;
  e.credential = code_credential("7", "phone");
  e.secured = Secured::kTls;
  e.session = "abc";
  EXPECT_EQ(to_json_line(e),
            R"({"ts":"2026-03-01T12:34:56.000789Z","event":"auth","outcome":"ok",)"
            R"("user":"alice","rip":"198.51.100.9","mech":"PLAIN",)"
            R"("service":"smtp","secured":"tls","listener":"postfix","session":"abc",)"
            R"("credential":"code:7 phone","repeat":false,"took_us":1503000})"
            "\n");
}

TEST(AuditLine, OfAnObservedRefusalSaysWhatWouldHaveBeen) {
  AuthEvent e = wrong_password();
  e.would = Would::kLocked;
  e.rule = "guess-account";
  e.subject = "user:alice";
  e.repeat = true;
  e.secured = Secured::kYes;
  const json line = json::parse(to_json_line(e));
  EXPECT_EQ(line["would"], "locked");
  EXPECT_EQ(line["rule"], "guess-account");
  EXPECT_EQ(line["subject"], "user:alice");
  EXPECT_EQ(line["repeat"], true);
  EXPECT_EQ(line["secured"], true);
}

TEST(AuditLine, OfTheOtherEventsHasTheirFields) {
  EXPECT_EQ(
      to_json_line(LockEvent{kWhen, "user:alice", "guess-account", kWhen + 1min, 2, "policy", ""}),
      R"({"ts":"2026-03-01T12:34:56.000789Z","event":"lock","subject":"user:alice",)"
      R"("rule":"guess-account","until":"2026-03-01T12:35:56.000789Z","level":2,)"
      R"("by":"policy"})"
      "\n");
  EXPECT_EQ(to_json_line(UnlockEvent{kWhen, "ip:192.0.2.1", "", "root"}),
            R"({"ts":"2026-03-01T12:34:56.000789Z","event":"unlock","subject":"ip:192.0.2.1",)"
            R"("by":"root"})"
            "\n");
  EXPECT_EQ(to_json_line(AdminEvent{kWhen, "lock add", "user:eve", "root", false, "no such"}),
            R"({"ts":"2026-03-01T12:34:56.000789Z","event":"admin","command":"lock add",)"
            R"("target":"user:eve","by":"root","done":false,"reason":"no such"})"
            "\n");
  EXPECT_EQ(to_json_line(DaemonEvent{kWhen, "started", {{"version", "1.0"}, {"pid", "7"}}}),
            R"({"ts":"2026-03-01T12:34:56.000789Z","event":"daemon","name":"started",)"
            R"("version":"1.0","pid":"7"})"
            "\n");
}

TEST(AuditLine, KnowsTheWordsOfEveryOutcomeAndCause) {
  const std::pair<AuthCause, const char*> kCauses[] = {
      {AuthCause::kBadCredential, "bad-credential"},
      {AuthCause::kUnknownUser, "unknown-user"},
      {AuthCause::kDisabled, "disabled"},
      {AuthCause::kMalformed, "malformed"},
      {AuthCause::kMechanism, "mechanism"},
      {AuthCause::kNeedsTls, "needs-tls"},
      {AuthCause::kLocked, "locked"},
      {AuthCause::kRate, "rate"},
      {AuthCause::kPassdbDown, "passdb-down"},
      {AuthCause::kOverload, "overload"}};
  for (const auto& [cause, word] : kCauses) EXPECT_EQ(to_string(cause), word);
  const std::pair<AuthOutcome, const char*> kOutcomes[] = {{AuthOutcome::kOk, "ok"},
                                                           {AuthOutcome::kFail, "fail"},
                                                           {AuthOutcome::kRefused, "refused"},
                                                           {AuthOutcome::kTemporary, "temporary"}};
  for (const auto& [outcome, word] : kOutcomes) EXPECT_EQ(to_string(outcome), word);
}

TEST(AuditLine, IsOneValidLineWhateverTheNameIs) {
  const struct {
    std::string sent, read;
  } kCases[] = {
      {"alice\n{\"ts\":1}", "alice\n{\"ts\":1}"},
      {"a\"b\\c", "a\"b\\c"},
      {std::string("nul\0", 4), std::string("nul\0", 4)},
      {"caf\xc3\xa9 \xf0\x9f\x93\xb1", "caf\xc3\xa9 \xf0\x9f\x93\xb1"},
      {"latin \xe9 1", "latin \xef\xbf\xbd 1"},
      {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
      {"overlong \xc0\xaf", "overlong \xef\xbf\xbd\xef\xbf\xbd"},
      {"overlong \xe0\x80\xaf", "overlong \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"surrogate \xed\xa0\x80", "surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"beyond \xf4\x90\x80\x80", "beyond \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xef\xbf\xbd", "\xef\xbf\xbd"},
  };
  for (const auto& c : kCases) {
    AuthEvent e = wrong_password();
    e.user = c.sent;
    const std::string line = to_json_line(e);
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_EQ(json::parse(line)["user"], c.read);
  }
}

TEST(AuditLine, CannotMoveTheCursorOfATerminal) {
  AuthEvent e = wrong_password();
  e.user =
      "\x1b[2J\x7f \xc2\x9b"
      "31m \xe2\x80\xae"
      "txt";
  const std::string line = to_json_line(e);
  EXPECT_NE(line.find(R"("\u001b[2J\u007f \u009b31m \u202etxt")"), std::string::npos) << line;
  EXPECT_EQ(json::parse(line)["user"], e.user);
}

TEST(AuditLine, DoesNotGrowWithWhatAClientMakesUp) {
  AuthEvent e = wrong_password();
  e.user = std::string(kMaxAuditString - 1, 'x') + "\xc3\xa9" + std::string(16000, 'y');
  EXPECT_EQ(json::parse(to_json_line(e))["user"],
            std::string(kMaxAuditString - 1, 'x') + "\xe2\x80\xa6");
  e.user = std::string(kMaxAuditString, 'x');
  EXPECT_EQ(json::parse(to_json_line(e))["user"], e.user);
}

TEST(AuditLine, ReadsBackAsJsonForEverySingleByte) {
  for (int byte = 0; byte < 256; ++byte) {
    AuthEvent e = wrong_password();
    e.session = std::string("<") + static_cast<char>(byte) + ">";
    const json line = json::parse(to_json_line(e));
    EXPECT_EQ(line["session"], byte < 0x80 ? e.session : "<\xef\xbf\xbd>") << byte;
  }
}

TEST(AuditLine, WritesTimesOfAllYears) {
  const std::pair<int64_t, const char*> kTimes[] = {
      {0, "1970-01-01T00:00:00.000000Z"},
      {-1, "1969-12-31T23:59:59.999999Z"},
      {951827696'123456, "2000-02-29T12:34:56.123456Z"},
      {4102444800'000000, "2100-01-01T00:00:00.000000Z"}};
  for (const auto& [micros, text] : kTimes) {
    const DaemonEvent e{WallTime(std::chrono::microseconds(micros)), "x", {}};
    EXPECT_EQ(json::parse(to_json_line(e))["ts"], text);
  }
}

}  // namespace
}  // namespace saslatch
