#include "daemon/replay/stamp.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "tests/daemon/replay/kit.h"

namespace saslatch::replay {
namespace {

struct Case {
  const char* line;
  const char* expected;  // "YYYY-MM-DD hh:mm:ss.micros offset | what follows"; "": no stamp
};

const Case kCases[] = {
    // syslog, RFC 3164; journalctl's short and short-precise
    {"Nov  1 07:28:13 mx postfix", "0-11-1 7:28:13.0 - | mx postfix"},
    {"Nov 21 07:28:13 mx postfix", "0-11-21 7:28:13.0 - | mx postfix"},
    {"Jul 02 13:49:31 mx dovecot", "0-7-2 13:49:31.0 - | mx dovecot"},
    {"Nov 21 07:28:13.123456 mx postfix", "0-11-21 7:28:13.123456 - | mx postfix"},
    {"<22>Nov 21 07:28:13 mx postfix", "0-11-21 7:28:13.0 - | mx postfix"},
    {"Feb 29 00:00:00 x", "0-2-29 0:0:0.0 - | x"},
    {"Dec 31 23:59:60 x", "0-12-31 23:59:60.0 - | x"},
    // rsyslog's RSYSLOG_FileFormat, journalctl's short-iso and short-iso-precise
    {"2030-11-21T07:28:13.123456+01:00 mx", "2030-11-21 7:28:13.123456 3600 | mx"},
    {"2030-11-21T07:28:13+0100 mx", "2030-11-21 7:28:13.0 3600 | mx"},
    {"2030-11-21T07:28:13-05:30 mx", "2030-11-21 7:28:13.0 -19800 | mx"},
    {"2030-11-21T07:28:13.5Z mx", "2030-11-21 7:28:13.500000 0 | mx"},
    {"2030-11-21T07:28:13 mx", "2030-11-21 7:28:13.0 - | mx"},
    // Dovecot's log_timestamp, journalctl's short-full and short-unix
    {"2030-11-21 07:28:13 imap-login: x", "2030-11-21 7:28:13.0 - | imap-login: x"},
    {"Thu 2030-11-21 07:28:13 UTC mx", "2030-11-21 7:28:13.0 0 | mx"},
    {"Thu 2030-11-21 07:28:13 CET mx", "2030-11-21 7:28:13.0 - | mx"},
    {"1921476493.250000 mx", "2030-11-21 7:28:13.250000 0 | mx"},
    // none of them
    {"", ""},
    {"Nov", ""},
    {"Nov 21", ""},
    {"Nov 21 07:28:13", ""},
    {"Nov 31 07:28:13 mx", ""},
    {"Nov 21 24:28:13 mx", ""},
    {"Nov 21 7:28:13 mx", ""},
    {"Now 21 07:28:13 mx", ""},
    {"2030-02-29T07:28:13Z mx", ""},
    {"2030-13-01T07:28:13Z mx", ""},
    {"0001-01-01T00:00:00Z mx", ""},
    {"2030-11-21T07:28:13.1234567890Z mx", ""},
    {"2030-11-21T07:28:13+1x00 mx", ""},
    {"12.5 mx", ""},
    {"<2222>Nov 21 07:28:13 mx", ""},
};

TEST(Stamp, IsReadAsItsProgramWritesIt) {
  for (const Case& c : kCases) {
    const auto stamp = parse_stamp(c.line);
    std::string seen;
    if (stamp) {
      const Civil& t = stamp->civil;
      seen = std::to_string(t.year) + "-" + std::to_string(t.month) + "-" + std::to_string(t.day) +
             " " + std::to_string(t.hour) + ":" + std::to_string(t.minute) + ":" +
             std::to_string(t.second) + "." + std::to_string(t.micros) + " " +
             (stamp->offset ? std::to_string(*stamp->offset) : "-") + " | " +
             std::string(c.line).substr(stamp->length);
    }
    EXPECT_EQ(seen, c.expected) << c.line;
  }
}

// The years of stamps without one, in a file that was last written on `written`.
struct YearCase {
  const char* name;
  Civil written;
  std::vector<std::pair<Civil, int>> lines;  // each with the year it is in
};

TEST(YearGuess, FollowsTheFilesDateAndTheTurnOfTheYear) {
  const YearCase kYears[] = {
      {"a file of this year", {2030, 11, 21}, {{{0, 11, 1}, 2030}, {{0, 11, 21}, 2030}}},
      {"a file of last year", {2030, 2, 1}, {{{0, 11, 1}, 2029}, {{0, 11, 30}, 2029}}},
      {"over New Year", {2030, 1, 5}, {{{0, 12, 30}, 2029}, {{0, 1, 2}, 2030}}},
      {"disorder at New Year",
       {2030, 1, 5},
       {{{0, 12, 31}, 2029}, {{0, 1, 1}, 2030}, {{0, 12, 31}, 2029}, {{0, 1, 1}, 2030}}},
      {"a quiet half of a year", {2030, 6, 1}, {{{0, 7, 1}, 2029}, {{0, 1, 1}, 2030}}},
      {"disorder at the turn of a month",
       {2030, 6, 1},
       {{{0, 5, 1}, 2030}, {{0, 4, 30}, 2030}, {{0, 5, 1}, 2030}}},
      {"a clock some hours ahead", {2030, 11, 21}, {{{0, 11, 22}, 2030}}},
      {"a year's worth",
       {2030, 11, 21},
       {{{0, 11, 23}, 2029}, {{0, 3, 1}, 2030}, {{0, 7, 1}, 2030}, {{0, 11, 21}, 2030}}},
  };
  for (const YearCase& c : kYears) {
    SCOPED_TRACE(c.name);
    YearGuess guess(utc(c.written));
    for (auto [civil, year] : c.lines) {
      guess.complete(civil);
      EXPECT_EQ(civil.year, year);
    }
  }
}

TEST(YearGuess, NoticesThatItIsWrong) {
  YearGuess guess(utc({2030, 6, 1}));  // lines of more than a year
  Civil civil{0, 7, 1};
  guess.complete(civil);
  EXPECT_FALSE(guess.is_beyond(utc(civil)));
  civil = {0, 1, 1};
  guess.complete(civil);
  civil = {0, 7, 1};
  guess.complete(civil);
  EXPECT_TRUE(guess.is_beyond(utc(civil)));
}

TEST(Zone, TurnsLocalTimesIntoUtc) {
  ASSERT_EQ(::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
  ::tzset();
  SystemZone zone;
  EXPECT_EQ(shown(zone.from_local({2030, 1, 15, 7, 28, 13})), "2030-01-15T06:28:13Z");
  EXPECT_EQ(shown(zone.from_local({2030, 7, 15, 7, 28, 13})), "2030-07-15T05:28:13Z");
  EXPECT_EQ(zone.offset_at(utc({2030, 1, 15})), 3600);
  EXPECT_EQ(zone.offset_at(utc({2030, 7, 15})), 7200);
  EXPECT_EQ(zone.name(), "CET-1CEST,M3.5.0,M10.5.0/3");
  ::unsetenv("TZ");
  ::tzset();
}

}  // namespace
}  // namespace saslatch::replay
