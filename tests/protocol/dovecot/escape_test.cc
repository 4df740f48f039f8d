#include "protocol/dovecot/escape.h"

#include <gtest/gtest.h>

#include "protocol/dovecot/fields.h"

namespace saslatch::dovecot {
namespace {

using namespace std::string_view_literals;

std::string escaped(std::string_view value) {
  std::string out;
  append_escaped(out, value);
  return out;
}

TEST(Escape, WritesTheFiveBytesAsDovecotDoes) {
  EXPECT_EQ(escaped("a\0b"sv),
            "a\001"
            "0b");
  EXPECT_EQ(escaped("a\001b"),
            "a\001"
            "1b");
  EXPECT_EQ(escaped("\t"), "\001t");
  EXPECT_EQ(escaped("\r"), "\001r");
  EXPECT_EQ(escaped("\n"), "\001n");
  EXPECT_EQ(escaped("alice@example.com"), "alice@example.com");
  EXPECT_EQ(escaped(""), "");
}

TEST(Escape, ReadsAnyOtherCharacterAsItself) {
  EXPECT_EQ(unescaped("\001l"), "l");  // an old page says that this is LF
  EXPECT_EQ(unescaped("\001\t"), "\t");
  EXPECT_EQ(unescaped("\001="), "=");
  EXPECT_EQ(unescaped("a\001"), "a");
  EXPECT_EQ(unescaped("\001"), "");
  EXPECT_EQ(unescaped("a\001\001"), "a\001");
}

TEST(Escape, BringsEveryByteBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  const std::string line = escaped(all);
  EXPECT_EQ(line.find_first_of("\0\t\r\n"sv), std::string::npos);
  EXPECT_EQ(unescaped(line), all);
}

TEST(Fields, AreSplitBeforeTheyAreUnescaped) {
  Fields fields("A\001tB\t\tC");
  EXPECT_EQ(unescaped(*fields.next()), "A\tB");
  EXPECT_EQ(fields.next(), "");
  EXPECT_FALSE(fields.over());
  EXPECT_EQ(fields.next(), "C");
  EXPECT_TRUE(fields.over());
  EXPECT_EQ(fields.next(), std::nullopt);
}

TEST(Fields, SplitAParameterAtItsFirstEqualsSign) {
  EXPECT_EQ(split_parameter("resp==").name, "resp");
  EXPECT_EQ(split_parameter("resp==").value, "=");
  EXPECT_EQ(split_parameter("secured").name, "secured");
  EXPECT_EQ(split_parameter("secured").value, "");
}

TEST(Fields, IdsAreDecimalFromOneTo32Bits) {
  EXPECT_EQ(parse_id("1"), 1u);
  EXPECT_EQ(parse_id("4294967295"), 4294967295u);
  for (const char* text : {"", "0", "4294967296", "-1", "+1", " 1", "1 ", "1x", "0x1", "1.0"}) {
    EXPECT_EQ(parse_id(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_id(std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace saslatch::dovecot
