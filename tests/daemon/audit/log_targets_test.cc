#include "daemon/audit/log_targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/audit/once_per_minute.h"

namespace saslatch {
namespace {

using namespace std::chrono_literals;
using testing::MatchesRegex;

TEST(LogLine, CannotBeForgedByAValue) {
  const struct {
    std::string value, written;
  } kCases[] = {
      {"alice@example.com", "alice@example.com"},
      {"2001:db8::1", "2001:db8::1"},
      {"/var/spool/postfix/private/saslatch", "/var/spool/postfix/private/saslatch"},
      {"", R"("")"},
      {"two words", R"("two words")"},
      {"x=y", R"("x=y")"},
      {"\"", R"("\"")"},
      {"a\nsaslatchd: started: forged", R"("a\nsaslatchd: started: forged")"},
      {"\x1b]0;t\x07", R"("\u001b]0;t\u0007")"},
      {"\xff", "\"\xef\xbf\xbd\""},
      {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(format_log_line("name", "a sentence", {{"key", c.value}}),
              "name: a sentence key=" + c.written);
  }
}

TEST(LogLine, IsBounded) {
  EXPECT_LT(format_log_line("name", "a sentence", {{"key", std::string(100'000, 'x')}}).size(),
            1100u);
}

TEST(StderrLog, HasTimeLevelAndNameAndLeavesOutWhatIsBelowItsLevel) {
  unsetenv("JOURNAL_STREAM");
  testing::internal::CaptureStderr();
  auto log = make_log(LogTarget::kStderr, LogLevel::kWarning);
  ASSERT_TRUE(log);
  (*log)->info("quiet", "not shown");
  (*log)->warning("audit-dropped", "events {} were lost %s", {{"events", "3"}});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z warning saslatchd: "
                           "audit-dropped: events \\{\\} were lost %s events=3\n"));
}

TEST(Logs, OfEveryTargetCanBeMadeWhereTheyAreSupported) {
  EXPECT_TRUE(make_log(LogTarget::kSyslog, LogLevel::kInfo));
  EXPECT_EQ(make_log(LogTarget::kJournal, LogLevel::kInfo).has_value(), journal_is_supported());
}

TEST(OncePerMinute, IsDueOnceUntilItIsReset) {
  const std::chrono::steady_clock::time_point start{1s};
  OncePerMinute limit;
  EXPECT_TRUE(limit.due(start));
  EXPECT_FALSE(limit.due(start + 59s));
  EXPECT_TRUE(limit.due(start + 60s));
  EXPECT_FALSE(limit.due(start + 61s));
  limit.reset();
  EXPECT_TRUE(limit.due(start + 62s));
}

}  // namespace
}  // namespace saslatch
