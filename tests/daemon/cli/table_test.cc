#include "daemon/cli/table.h"

#include <gtest/gtest.h>

#include "daemon/cli/console.h"
#include "daemon/cli/format.h"

namespace saslatch::cli {
namespace {

TEST(Table, AlignsItsColumnsAndHasNoTrailingSpaces) {
  Table table({"NAME", "COUNT", "NOTE"}, {1});
  table.add({{"alice"}, {"7"}, {"x"}});
  table.add({{"bob"}, {"1000000"}});
  table.add({{"jürgen"}, {""}, {"y"}});
  EXPECT_EQ(table.render(false),
            "NAME      COUNT  NOTE\n"
            "alice         7  x\n"
            "bob     1000000\n"
            "jürgen           y\n");
}

TEST(Table, ColoursNoBlanks) {
  Table table({"STATE", "X"});
  table.add({{"ok", Tone::kGood}, {"y"}});
  EXPECT_EQ(table.render(true), "STATE  X\n\033[32mok\033[0m     y\n");
  EXPECT_EQ(table.render(false), "STATE  X\nok     y\n");
}

TEST(Printable, LetsNoNameMoveTheCursorOrForgeARow) {
  const struct {
    std::string text;
    const char* shown;
  } cases[] = {
      {"alice@example.org", "alice@example.org"},
      {"jürgen €  \U0001F600", "jürgen €  \U0001F600"},
      {"a\nb", "a\\x0ab"},
      {"\033[2J", "\\x1b[2J"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\x7F", "\\x7f"},
      {"\xC2\x9B"
       "2J",
       "\\xc2\\x9b2J"},  // C1: CSI in one character
      {"\xE2\x80\xAE"
       "txt",
       "\\xe2\\x80\\xaetxt"},                        // U+202E, right-to-left override
      {"\xE2\x81\xA6", "\\xe2\\x81\\xa6"},           // U+2066
      {"\xFF\xC3", "\\xff\\xc3"},                    // no UTF-8
      {"\xC0\xAF", "\\xc0\\xaf"},                    // overlong
      {"\xED\xA0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // above U+10FFFF
      {"\xE2\x82", "\\xe2\\x82"},                    // cut off
  };
  for (const auto& c : cases) EXPECT_EQ(printable(c.text), c.shown);
}

TEST(Console, EscapesWhatItIsGivenAndKeepsDataApart) {
  std::ostringstream out, err;
  Console console(out, err);
  console.line("a\rb");
  console.note("done\033");
  EXPECT_EQ(console.fail(ExitCode::kBadData, "first\nsecond\a"), ExitCode::kBadData);
  EXPECT_EQ(out.str(), "a\\x0db\ndone\\x1b\n");
  EXPECT_EQ(err.str(), "saslatch: first\nsaslatch: second\\x07\n");
}

TEST(Console, SaysNothingButDataWithJsonAndLittleWithQuiet) {
  std::ostringstream out, err;
  Console console(out, err);
  console.set_style({.json = true});
  console.note("done");
  console.print(Json{{"name", "\xFF"}});
  EXPECT_EQ(out.str(), "{\n  \"name\": \"\xEF\xBF\xBD\"\n}\n");
  console.set_style({.quiet = true, .err_is_terminal = true});
  console.note("done");
  console.progress("42 %");
  console.warning("but");
  EXPECT_EQ(err.str(), "saslatch: warning: but\n");
}

TEST(Console, NoticesThatNobodyTakesItsOutput) {
  std::ostringstream out, err;
  Console console(out, err);
  EXPECT_TRUE(console.flush());
  out.setstate(std::ios::badbit);
  EXPECT_FALSE(console.flush());
}

TEST(Format, DurationsForPeople) {
  using std::chrono::seconds;
  const struct {
    int64_t seconds;
    const char* text;
  } cases[] = {{0, "0s"},     {-5, "0s"},       {59, "59s"},     {60, "1m"},
               {61, "1m 1s"}, {3600, "1h"},     {3661, "1h 1m"}, {86399, "23h 59m"},
               {86400, "1d"}, {93600, "1d 2h"}, {86460, "1d"},   {31536000, "365d"}};
  for (const auto& c : cases) EXPECT_EQ(format_duration(seconds(c.seconds)), c.text);
}

TEST(Format, ReadsOldAndStrangeRepliesAsFarAsTheyGo) {
  const Json reply = Json::parse(R"({"text":7,"number":"x","part":null,"yes":1})");
  EXPECT_EQ(text_field(reply, "text"), "");
  EXPECT_EQ(number_field(reply, "number"), 0);
  EXPECT_FALSE(bool_field(reply, "yes"));
  EXPECT_TRUE(part(reply, "part").empty());
  EXPECT_TRUE(part(reply, "missing").empty());
  EXPECT_EQ(text_field(Json("text"), "x"), "");
}

}  // namespace
}  // namespace saslatch::cli
