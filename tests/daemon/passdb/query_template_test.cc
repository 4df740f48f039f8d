#include "daemon/passdb/sql/query_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace saslatch::passdb::sql {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

struct Good {
  const char* query;
  const char* pgsql;                // the text for PostgreSQL
  std::vector<std::string> values;  // for alice@example.org
};

const Good kGood[] = {
    {"SELECT password FROM users WHERE name = %u",
     "SELECT password FROM users WHERE name = $1",
     {"alice@example.org"}},
    {"WHERE name = '%u'", "WHERE name = $1", {"alice@example.org"}},
    {"WHERE a='%n' AND d='%d'", "WHERE a=$1 AND d=$2", {"alice", "example.org"}},
    {"f(%n,%d)", "f($1,$2)", {"alice", "example.org"}},
    {"WHERE x = %{user} OR x = %{username} OR x = %{domain}",
     "WHERE x = $1 OR x = $2 OR x = $3",
     {"alice@example.org", "alice", "example.org"}},
    {"WHERE x = %{user | username} OR x = '%{user|domain}'",
     "WHERE x = $1 OR x = $2",
     {"alice", "example.org"}},
    {"SELECT '/mail/%d/%n/' AS home", "SELECT $1 AS home", {"/mail/example.org/alice/"}},
    {"SELECT 'it''s %u'", "SELECT $1", {"it's alice@example.org"}},
    {"SELECT '100%% %u'", "SELECT $1", {"100% alice@example.org"}},
    {"WHERE id %% 2 = 0", "WHERE id % 2 = 0", {}},
    {"WHERE a LIKE '%%x' AND b = %u;", "WHERE a LIKE '%x' AND b = $1", {"alice@example.org"}},
    {"SELECT 'a''b', \"100%%\" -- 5%%\n, %u",
     "SELECT 'a''b', \"100%\" -- 5%\n, $1",
     {"alice@example.org"}},
    {"SELECT /* it's */ %u", "SELECT /* it's */ $1", {"alice@example.org"}},
    {"SELECT 'a\\' WHERE b = '%u'", "SELECT 'a\\' WHERE b = $1", {"alice@example.org"}},
    {"", "", {}},
};

TEST(QueryTemplate, MakesParametersOfVariables) {
  for (const Good& c : kGood) {
    SCOPED_TRACE(c.query);
    const auto made = QueryTemplate::parse(c.query, Dialect::kPgsql);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->text(), c.pgsql);
    EXPECT_THAT(made->values_for("alice@example.org"), ElementsAreArray(c.values));
  }
}

TEST(QueryTemplate, WritesPlaceholdersAsTheServerHasThem) {
  const char* const query = "a = %u OR b = '%n@%d'";
  EXPECT_EQ(QueryTemplate::parse(query, Dialect::kPgsql)->text(), "a = $1 OR b = $2");
  EXPECT_EQ(QueryTemplate::parse(query, Dialect::kMysql)->text(), "a = ? OR b = ?");
  EXPECT_EQ(QueryTemplate::parse(query, Dialect::kSqlite)->text(), "a = ?1 OR b = ?2");
}

TEST(QueryTemplate, CutsANameAtItsFirstAt) {
  const auto made = QueryTemplate::parse("%u %n %d", Dialect::kSqlite);
  EXPECT_THAT(made->values_for("alice"), ElementsAre("alice", "alice", ""));
  EXPECT_THAT(made->values_for("a@b@c"), ElementsAre("a@b@c", "a", "b@c"));
  EXPECT_THAT(made->values_for("@b"), ElementsAre("@b", "", "b"));
  EXPECT_THAT(made->values_for("%u'--"), ElementsAre("%u'--", "%u'--", "")) << "never read again";
}

TEST(QueryTemplate, KnowsThatMysqlEscapesByBackslash) {
  const auto made = QueryTemplate::parse("SELECT 'a\\'b' WHERE c = '%u'", Dialect::kMysql);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->text(), "SELECT 'a\\'b' WHERE c = ?");
  EXPECT_FALSE(QueryTemplate::parse("SELECT 'a\\'b' WHERE c = '%u'", Dialect::kPgsql));
}

struct Bad {
  const char* query;
  const char* why;
};

const Bad kBad[] = {
    {"WHERE a = %s", "%s is not known when a name is looked up"},
    {"WHERE a = '%r'", "%r is not known when a name is looked up"},
    {"WHERE a = %{rip}", "%{rip} is not known when a name is looked up"},
    {"WHERE a = %Lu", "%L is not known; names are lower-cased by [usernames] lowercase"},
    {"WHERE a = %{password}", "%{password} is not known"},
    {"WHERE a = %x", "%x is no variable; accepted: %u or %{user}"},
    {"WHERE a = 5 % 2", "%  is no variable"},
    {"WHERE a = %", "% is no variable"},
    {"WHERE a = %{user", "a %{ has no }"},
    {"FROM mail_%u", "%u is part of something longer"},
    {"FROM %d.users", "%d is part of something longer"},
    {"WHERE a = %n@%d", "accepted: %n alone, or the whole value in single quotes"},
    {"WHERE a = %ux", "%u is part of something longer"},
    {"WHERE \"%u\" = a", "a variable stands in \"\""},
    {"WHERE `%u` = a", "a variable stands in ``"},
    {"SELECT 1 -- %u", "a variable stands in a comment"},
    {"SELECT 1 /* %u */", "a variable stands in a comment"},
    {"SELECT 1 /* ", "has no end"},
    {"WHERE a = 'x", "a string begins with ' and has no end"},
    {"WHERE a = '%u", "a string begins with ' and has no end"},
    {"WHERE a = E'%u'", "has a prefix"},
    {"WHERE a = '\\%u'", "has a backslash"},
    {"WHERE a = '%u'b", "is followed by a word"},
    {"SELECT %u; DROP TABLE users", "something follows a semicolon"},
};

TEST(QueryTemplate, RefusesAVariableThatCannotBeAParameter) {
  for (const Bad& c : kBad) {
    SCOPED_TRACE(c.query);
    const auto made = QueryTemplate::parse(c.query, Dialect::kPgsql);
    ASSERT_FALSE(made) << made->text();
    EXPECT_THAT(made.error().message, HasSubstr(c.why));
  }
}

}  // namespace
}  // namespace saslatch::passdb::sql
