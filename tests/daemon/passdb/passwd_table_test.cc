#include "daemon/passdb/passwd_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/passdb/lookups.h"
#include "tests/daemon/password/seeded_random.h"

namespace saslatch::passdb {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

struct Loaded {
  PasswdReport report;
  password::SeededRandom random;
  PasswdTable table;

  explicit Loaded(std::string bytes, bool lowercase = true)
      : table(
            std::move(bytes), {"PLAIN", lowercase},
            [](std::string_view name, bool group) -> std::optional<uint32_t> {
              if (name == "mail") return group ? 12 : 8;
              return std::nullopt;
            },
            random, report) {}

  std::string stored(std::string_view name) const { return told(table.find(name)); }
  std::vector<std::string> names(std::string_view mask = "*") const {
    std::vector<std::string> found;
    table.list(mask, [&found](std::string_view name) {
      found.emplace_back(name);
      return true;
    });
    return found;
  }
  // "LINE TEXT" of each problem that was kept.
  std::vector<std::string> problems() const {
    std::vector<std::string> all;
    for (const auto& p : report.first) all.push_back(std::to_string(p.line) + " " + p.text);
    return all;
  }
};

TEST(PasswdTable, FindsEachAccountAndNoOther) {
  const Loaded loaded("# users\nalice:{PLAIN}a\n\nbob:b\r\n:x\ncarol\ndave:d");
  EXPECT_EQ(loaded.stored("alice"), "{PLAIN}a");
  EXPECT_EQ(loaded.stored("bob"), "{PLAIN}b");
  EXPECT_EQ(loaded.stored("carol"), "");
  EXPECT_EQ(loaded.stored("dave"), "{PLAIN}d");
  for (const char* name : {"", "alic", "alice:", "alicea", "x", "# users", "bob\r", "dave:d"}) {
    EXPECT_EQ(loaded.stored(name), "unknown") << name;
  }
  EXPECT_EQ(loaded.table.size(), 4u);
  EXPECT_THAT(loaded.names(), ElementsAre("alice", "bob", "carol", "dave"));
  EXPECT_THAT(loaded.names("?A*"), ElementsAre("carol", "dave"));
  EXPECT_THAT(loaded.problems(), IsEmpty());
}

TEST(PasswdTable, FoldsNamesOnlyWhereAskedTo) {
  const Loaded folded("Alice:1\nALICE:2\n");
  EXPECT_EQ(folded.stored("alice"), "{PLAIN}1");
  EXPECT_THAT(folded.names(), ElementsAre("alice"));
  EXPECT_THAT(folded.problems(), ElementsAre(StartsWith("2 the name stands in line 1 already")));

  const Loaded exact("Alice:1\nALICE:2\n", false);
  EXPECT_EQ(exact.stored("Alice"), "{PLAIN}1");
  EXPECT_EQ(exact.stored("ALICE"), "{PLAIN}2");
  EXPECT_EQ(exact.stored("alice"), "unknown");
}

TEST(PasswdTable, LetsTheFirstOfTwoLinesCountAndTellsBothNumbers) {
  const Loaded loaded("a:1\nb:2\n# no\na:3\nb:4::::::nodelay\n");
  EXPECT_EQ(loaded.stored("a"), "{PLAIN}1");
  EXPECT_EQ(loaded.stored("b"), "{PLAIN}2");
  EXPECT_THAT(loaded.problems(), ElementsAre(StartsWith("4 the name stands in line 1"),
                                             StartsWith("5 the name stands in line 2")));
  EXPECT_THAT(loaded.names(), ElementsAre("a", "b"));
}

TEST(PasswdTable, SkipsABadLineAndReadsTheRest) {
  using namespace std::string_literals;
  const Loaded loaded("a:1\nb\tb:2\nc:\0\nd:4:nobody-here\ne:5\n"s);
  EXPECT_THAT(loaded.names(), ElementsAre("a", "d", "e"));
  EXPECT_THAT(loaded.problems(), ElementsAre(StartsWith("2 the name"), StartsWith("3 a NUL"),
                                             StartsWith("4 the uid")));
}

TEST(PasswdTable, KeepsItsReportShortWhateverTheFileHolds) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) {
    bytes += "a:1\n";
    bytes += "u" + std::to_string(i) + ":x::::::f" + std::to_string(i) + "=1\n";
  }
  const Loaded loaded(std::move(bytes));
  EXPECT_EQ(loaded.report.problems, 999u);
  EXPECT_EQ(loaded.report.first.size(), PasswdReport::kMaxProblems);
  EXPECT_EQ(loaded.report.ignored.size(), PasswdReport::kMaxFields + 1);
  EXPECT_EQ(loaded.report.ignored.at("..."), 1000 - PasswdReport::kMaxFields);
}

TEST(PasswdTable, CountsTheFieldsItDoesNotObey) {
  const Loaded loaded("a:1::::::proxy nodelay\nb:2::::::proxy host=h\n");
  EXPECT_THAT(loaded.report.ignored, ElementsAre(Pair("host", 1), Pair("proxy", 2)));
}

TEST(PasswdTable, ResolvesNamesOfIdsWhileLoading) {
  const Loaded loaded("a:1:mail:mail\n");
  const auto found = loaded.table.find("a");
  EXPECT_EQ(std::get<Account>(found).uid, 8u);
  EXPECT_EQ(std::get<Account>(found).gid, 12u);
}

TEST(PasswdTable, LeavesALineThatDoesNotAuthenticateToTheNextPassdb) {
  const Loaded loaded("a:1::::::noauthenticate\n");
  EXPECT_EQ(loaded.stored("a"), "unknown");
}

TEST(PasswdTable, TakesTheMostCommonSchemeForTypicalAndShowsNoHash) {
  std::string bytes = "x:{PLAIN}secret\n";
  for (int i = 0; i < 3; ++i) {
    bytes +=
        "u" + std::to_string(i) + ":{SSHA256}bNaepUHvLE2wKFwR+srmbY0Mn28bLgLS8ywrVI+qjc8j5TKq\n";
  }
  const Loaded loaded(std::move(bytes));
  const TypicalCredential& typical = loaded.table.typical_credential();
  EXPECT_THAT(typical.stored, StartsWith("{SSHA256"));
  EXPECT_EQ(typical.stored.find("bNaepUHv"), std::string::npos);
  EXPECT_EQ(typical.accounts, 4u);
  EXPECT_EQ(Loaded("a\n").table.typical_credential().stored, "");
}

TEST(PasswdTable, HoldsManyAccounts) {
  std::string bytes;
  for (int i = 0; i < 20000; ++i) {
    bytes += "user" + std::to_string(i) + "@example.com:" + std::to_string(i) + "\n";
  }
  const Loaded loaded(std::move(bytes));
  EXPECT_EQ(loaded.table.size(), 20000u);
  for (int i = 0; i < 20000; ++i) {
    const std::string name = "user" + std::to_string(i);
    ASSERT_EQ(loaded.stored(name + "@example.com"), "{PLAIN}" + std::to_string(i));
    ASSERT_EQ(loaded.stored(name), "unknown");
  }
}

}  // namespace
}  // namespace saslatch::passdb
