#include "daemon/passdb/sql_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace saslatch::passdb {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// The dumps are the fuzz target's corpus, behind its first byte.
std::string dump(const std::string& name) {
  std::ifstream file(SASLATCH_TESTS_DIR "/fuzz/corpus/sql/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str().substr(1);
}

struct Case {
  const char* file;
  const char* table;
  const char* accounts;
  std::vector<uint64_t> lines;
};

const Case kCases[] = {
    {"dump_pg_copy",
     "mailbox",
     "alice@example.org:{SHA256}qaiXMtHAITyGmQjHmwWvrwODspMrrEN6KSrCT9cgKPE=\n"
     "bob@example.org:{PLAIN.b64}YVxiOmM=::::::nologin\ncarol@example.org:\n",
     {19, 20, 21}},
    {"dump_pg_insert", "users", "alice@example.org:{PLAIN}it's; ok\nb'ob:{PLAIN}x\n", {3, 4}},
    {"dump_mysql",
     "mailbox",
     "alice@example.org:{PLAIN}a'b\\c\nbob@example.org:{PLAIN}x::::::nologin\n"
     "eve@example.org:{PLAIN}y\n",
     {14, 15, 15}},
    {"dump_sqlite", "users", "alice:{PLAIN}x\nbob:{PLAIN}y::::::nologin\n", {4, 5}},
};

TEST(SqlDump, IsReadWhoeverWroteIt) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.file);
    const std::string text = dump(c.file);
    EXPECT_TRUE(looks_like_sql_dump(text));
    SqlDumpLines lines;
    const auto read = read_sql_dump(text, {}, lines);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(lines.table, c.table);
    EXPECT_EQ(lines.passwd_file, c.accounts);
    EXPECT_THAT(lines.dump_lines, ElementsAreArray(c.lines));
  }
}

TEST(SqlDump, IsToldFromAPasswdFile) {
  EXPECT_FALSE(looks_like_sql_dump("alice:{PLAIN}x\n"));
  EXPECT_FALSE(looks_like_sql_dump("# INSERT INTO nothing\nalice:{PLAIN}x\n"));
  EXPECT_FALSE(looks_like_sql_dump(""));
}

struct Bad {
  const char* text;
  SqlDumpPlaces places;
  const char* why;
};

const Bad kBad[] = {
    {"INSERT INTO users (name, password) VALUES ('alice','x", {}, "line 1: a quote is opened"},
    {"\nINSERT INTO users (name, password) VALUES ('a','x') ,\n x", {}, "line 3: a row does not"},
    {"COPY users (name, password) FROM stdin;\na\tb\n", {}, "have no end"},
    {"CREATE TABLE a (x int);\nCREATE TABLE b (y int);", {}, "with --table; it has: a, b"},
    {"CREATE TABLE a (x int);", {"c", "", ""}, "it has no table c; it has: a"},
    {"CREATE TABLE users (x int, password text);", {}, "--user-column; it has: x, password"},
    {"CREATE TABLE users (name text, y int);", {}, "with --password-column; it has: name, y"},
    {"CREATE TABLE users (name text, password text);", {}, "has no row"},
    {"CREATE TABLE users (name text, password text);\nINSERT INTO users VALUES ('a');",
     {},
     "line 2: the row has other columns"},
    {"INSERT INTO users (name, password) VALUES ('a:b','x');", {}, "line 1: a name"},
    {"INSERT INTO users (name, password) VALUES ('a','x'||chr(10));",
     {"", "mail", ""},
     "--user-column"},
    {"", {}, "it has: none"},
};

TEST(SqlDump, SaysWhereItCannotBeRead) {
  for (const Bad& c : kBad) {
    SCOPED_TRACE(c.text);
    SqlDumpLines lines;
    const auto read = read_sql_dump(c.text, c.places, lines);
    ASSERT_FALSE(read) << lines.passwd_file;
    EXPECT_THAT(read.error().message, HasSubstr(c.why));
  }
}

TEST(SqlDump, TakesTheTableAndColumnsItIsTold) {
  SqlDumpLines lines;
  const auto read = read_sql_dump(
      "INSERT INTO users (name, password) VALUES ('no','x');\n"
      "INSERT INTO app.\"Logins\" (id, mail, secret) VALUES (1,'alice','{PLAIN}x');",
      {"app.logins", "mail", "secret"}, lines);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(lines.passwd_file, "alice:{PLAIN}x\n");
}

}  // namespace
}  // namespace saslatch::passdb
