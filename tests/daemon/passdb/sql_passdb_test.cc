#include "daemon/passdb/sql/sql_passdb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "daemon/audit/no_log.h"
#include "daemon/passdb/sql/account_row.h"
#include "daemon/passdb/sqlite.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::passdb::sql {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct RowCase {
  const char* name;
  std::vector<Field> row;
  bool disabled;
  bool nopassword;
  size_t credentials;
};

const RowCase kRows[] = {
    {"a password", {{"password", "{PLAIN}x"}}, false, false, 1},
    {"no password at all", {{"password", std::nullopt}}, false, false, 0},
    {"an empty password", {{"PASSWORD", ""}}, false, false, 0},
    {"nologin by a word", {{"nologin", "Y"}}, true, false, 0},
    {"nologin by a boolean", {{"nologin", "t"}}, true, false, 0},
    {"nologin that does not hold", {{"nologin", "0"}, {"fail", "f"}}, false, false, 0},
    {"nologin that is NULL", {{"nologin", std::nullopt}}, false, false, 0},
    {"nologin by a word nobody knows", {{"nologin", "perhaps"}}, true, false, 0},
    {"fail", {{"fail", "1"}}, true, false, 0},
    {"nopassword", {{"nopassword", "yes"}}, false, true, 0},
    {"nopassword by a word nobody knows", {{"nopassword", "perhaps"}}, false, false, 0},
    {"nopassword beside a password", {{"password", "x"}, {"nopassword", "1"}}, false, false, 1},
    {"an empty user", {{"user", ""}}, true, false, 0},
};

TEST(AccountRow, FollowsItsTable) {
  for (const RowCase& c : kRows) {
    SCOPED_TRACE(c.name);
    const Account account = read_account_row(c.row, "alice", {"CRYPT", true}, nullptr);
    EXPECT_EQ(account.disabled, c.disabled);
    EXPECT_EQ(account.nopassword, c.nopassword);
    EXPECT_EQ(account.credentials.size(), c.credentials);
  }
}

TEST(AccountRow, HasTheFieldsOfAPasswdFile) {
  const std::vector<Field> row = {{"password", "abc"},
                                  {"user", "Alice@Example.org"},
                                  {"allow_nets", "192.0.2.0/24,local"},
                                  {"nodelay", "1"},
                                  {"uid", "1000"},
                                  {"userdb_gid", "1001"},
                                  {"home", "/home/alice"}};
  const Account account = read_account_row(row, "a", {"SHA512", true}, nullptr);
  EXPECT_EQ(account.name, "alice@example.org");
  EXPECT_EQ(account.credentials.at(0).reveal(), "{SHA512}abc");
  EXPECT_EQ(account.allow_nets->size(), 1U);
  EXPECT_TRUE(account.allow_local && account.nodelay);
  EXPECT_EQ(account.uid, 1000U);
  EXPECT_EQ(account.gid, 1001U);
  EXPECT_EQ(account.home, "/home/alice");
}

class SqlitePassdb : public ::testing::Test {
 protected:
  SqlitePassdb() {
    std::string name = std::filesystem::temp_directory_path() / "saslatch-sql-XXXXXX";
    dir_ = mkdtemp(name.data());
    run("CREATE TABLE users (name TEXT, password TEXT, active INTEGER);"
        "INSERT INTO users VALUES ('alice', '{PLAIN}wonderland', 1), ('bob', '{PLAIN}x', 0),"
        "  ('twin', '{PLAIN}x', 1), ('twin', '{PLAIN}y', 1);");
    settings_.name = "people";
    settings_.driver = Driver::kSql;
    settings_.sql.backend = SqlSettings::Backend::kSqlite;
    settings_.sql.database = path();
    settings_.sql.query =
        "SELECT name AS user, password, NOT active AS nologin FROM users WHERE name = '%u'";
    settings_.sql.list_query = "SELECT name FROM users";
  }
  ~SqlitePassdb() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::string path() const { return dir_ + "/mail.db"; }
  void run(const char* sql) {
    auto database = Database::open(path(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 1s);
    ASSERT_TRUE(database) << database.error().text;
    const auto done = database->run(sql);
    ASSERT_TRUE(done) << done.error().text;
  }

  Passdb& passdb() {
    if (!passdb_) {
      auto made = make_sqlite_passdb(
          settings_, {log_, random_, std::chrono::steady_clock::now, 4500ms, true, {}});
      EXPECT_TRUE(made) << made.error().message;
      passdb_ = *made;
    }
    return *passdb_;
  }
  Lookup find(const std::string& name) {
    std::promise<Lookup> found;
    passdb().find(name, [&found](Lookup one) { found.set_value(std::move(one)); });
    return found.get_future().get();
  }
  std::string why_unavailable(const std::string& name) {
    const Lookup found = find(name);
    const auto* down = std::get_if<Unavailable>(&found);
    return down == nullptr ? "it answers" : down->reason;
  }

  std::string dir_;
  PassdbSettings settings_;
  NoLog log_;
  SystemRandom random_;
  std::shared_ptr<Passdb> passdb_;
};

TEST_F(SqlitePassdb, FindsWhoIsThere) {
  const Lookup alice = find("alice");
  ASSERT_TRUE(std::holds_alternative<Account>(alice));
  EXPECT_EQ(std::get<Account>(alice).credentials.at(0).reveal(), "{PLAIN}wonderland");
  EXPECT_FALSE(std::get<Account>(alice).disabled);
  const Lookup bob = find("bob");
  ASSERT_TRUE(std::holds_alternative<Account>(bob));
  EXPECT_TRUE(std::get<Account>(bob).disabled);
  EXPECT_TRUE(std::holds_alternative<UnknownUser>(find("carol")));
  EXPECT_TRUE(passdb().status().available);
  EXPECT_TRUE(passdb().check_usable());
}

TEST_F(SqlitePassdb, CannotTellWhoseOfTwoRowsItIs) {
  EXPECT_EQ(why_unavailable("twin"), "the query finds more than one row for a name");
}

TEST_F(SqlitePassdb, SeesAChangeAtOnce) {
  (void)find("alice");
  run("UPDATE users SET password = '{PLAIN}new' WHERE name = 'alice'");
  const Lookup alice = find("alice");
  EXPECT_EQ(std::get<Account>(alice).credentials.at(0).reveal(), "{PLAIN}new");
}

TEST_F(SqlitePassdb, IsDownWithoutItsFile) {
  std::filesystem::remove(path());
  EXPECT_THAT(why_unavailable("alice"), HasSubstr("No such file or directory"));
  EXPECT_FALSE(passdb().check_usable());
  EXPECT_FALSE(passdb().status().available);
}

TEST_F(SqlitePassdb, ListsNames) {
  std::vector<std::string> names;
  EXPECT_TRUE(passdb().list("*o*", [&](std::string_view name) {
    names.emplace_back(name);
    return true;
  }));
  EXPECT_THAT(names, ElementsAre("bob"));
}

TEST_F(SqlitePassdb, LearnsWhatAPasswordUsuallyCosts) {
  EXPECT_EQ(passdb().typical_credential().stored, "");
  (void)find("alice");
  EXPECT_THAT(passdb().typical_credential().stored, HasSubstr("{PLAIN}"));
}

TEST_F(SqlitePassdb, EndsAQueryThatTakesTooLong) {
  settings_.server.timeout = 100ms;
  settings_.sql.query =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
      "SELECT i AS password FROM n WHERE i < 0 AND %u <> ''";
  EXPECT_EQ(why_unavailable("alice"), "the query takes too long");
}

TEST_F(SqlitePassdb, RefusesAQueryThatFindsTheSameForEverybody) {
  settings_.sql.query = "SELECT password FROM users";
  const auto made = make_sqlite_passdb(
      settings_, {log_, random_, std::chrono::steady_clock::now, 4500ms, true, {}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("it holds no variable"));
}

TEST_F(SqlitePassdb, SaysWhatItsQueryLacks) {
  settings_.sql.query = "SELECT secret FROM users WHERE name = %u";
  EXPECT_THAT(passdb().check_usable().error().message, HasSubstr("no such column: secret"));
  settings_.sql.query = "SELECT password FROM users WHERE name = %u AND password = ?2";
  passdb_.reset();
  EXPECT_THAT(passdb().check_usable().error().message, HasSubstr("placeholders of its own"));
}

// tests/integration/injection.txt: one name a line, as printf(1) would write it.
TEST_F(SqlitePassdb, IsNotMovedByNamesThatLookLikeSql) {
  std::ifstream names(SASLATCH_TESTS_DIR "/integration/injection.txt");
  std::string name;
  int count = 0;
  while (std::getline(names, name)) {
    if (name.empty() || name.starts_with("# ")) continue;
    ++count;
    EXPECT_TRUE(std::holds_alternative<UnknownUser>(find(name))) << name;
  }
  EXPECT_GT(count, 40);
  EXPECT_TRUE(std::holds_alternative<UnknownUser>(find(std::string("alice\0' OR 1", 11))));
  EXPECT_TRUE(std::holds_alternative<UnknownUser>(find("\xbf' OR 1=1 -- ")));
  EXPECT_TRUE(std::holds_alternative<Account>(find("alice"))) << "and all is as it was";
}

}  // namespace
}  // namespace saslatch::passdb::sql
