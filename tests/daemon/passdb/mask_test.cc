#include "daemon/passdb/mask.h"

#include <gtest/gtest.h>

#include <string>

namespace saslatch::passdb {
namespace {

TEST(Mask, MatchesAsListOfTheMasterProtocolHasIt) {
  const struct {
    const char* mask;
    const char* name;
    bool matches;
  } kCases[] = {
      {"*", "", true},
      {"*", "alice", true},
      {"", "", true},
      {"", "a", false},
      {"?", "", false},
      {"?", "a", true},
      {"alice", "ALICE", true},
      {"A*E", "alice", true},
      {"a*c*e", "alice", true},
      {"a*x*e", "alice", false},
      {"*@b.org", "a@b.org", true},
      {"*@b.org", "a@b.org.uk", false},
      {"**a**", "a", true},
      {"a?ice", "alice", true},
      {"a?ice", "aice", false},
      {"*aab", "aaaaab", true},
      {"[a]", "a", false},
      {"*\xc3\xa9", "caf\xc3\xa9", true},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(matches_mask(c.mask, c.name), c.matches) << c.mask << " on " << c.name;
  }
}

TEST(Mask, TakesNoLongerThanTheProductOfTheLengths) {
  std::string mask;
  for (int i = 0; i < 500; ++i) mask += "*a";
  EXPECT_FALSE(matches_mask(mask + "b", std::string(1000, 'a')));
}

}  // namespace
}  // namespace saslatch::passdb
