#include "daemon/session/username.h"

#include <gtest/gtest.h>

namespace saslatch {
namespace {

UsernameRules rules(bool lowercase = true, const char* domain = "") {
  UsernameRules rules;
  rules.lowercase = lowercase;
  rules.default_domain = domain;
  rules.allow("abcdefghijklmnopqrstuvwxyz0123456789.-_@+");
  return rules;
}

TEST(Username, IsOneNameInAllItsSpellings) {
  const UsernameRules with_domain = rules(true, "example.org");
  for (const char* raw :
       {"alice", "Alice", "ALICE", " alice", "alice  ", "alice@example.org", "Alice@EXAMPLE.org"}) {
    EXPECT_EQ(normalise_username(raw, with_domain), "alice@example.org") << raw;
  }
  EXPECT_EQ(normalise_username("alice@other.org", with_domain), "alice@other.org");
  EXPECT_EQ(normalise_username("alice", rules()), "alice");
}

TEST(Username, RefusesWhatCanBeNobodys) {
  const std::string inside_nul("a\0b", 3);
  for (const std::string& raw :
       {std::string(), std::string(" "), std::string("al ice"), std::string("alice\n"),
        std::string("\talice"), std::string("ali\x01"), inside_nul,
        std::string("al\xc3\xaf"
                    "ce"),
        std::string("a%u"), std::string("'or'1"), std::string(kMaxUsername + 1, 'a')}) {
    EXPECT_EQ(normalise_username(raw, rules()), std::nullopt) << raw;
  }
  EXPECT_EQ(normalise_username("Alice", rules(false)), std::nullopt)
      << "capitals are not among allowed-chars, and nothing lowered them";
  EXPECT_TRUE(normalise_username(std::string(kMaxUsername, 'a'), rules()));
  EXPECT_FALSE(normalise_username(std::string(kMaxUsername, 'a'), rules(true, "example.org")));
}

}  // namespace
}  // namespace saslatch
