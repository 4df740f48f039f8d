#include "protocol/dovecot/request_table.h"

#include <gtest/gtest.h>

#include <map>

namespace saslatch::dovecot {
namespace {

TEST(RequestTable, AgreesWithAMapInAnyOrder) {
  RequestTable<int> table;
  std::map<uint32_t, int> expected;
  uint32_t chance = 1;
  for (int i = 0; i < 20000; ++i) {
    chance = chance * 1664525 + 1013904223;
    const uint32_t id = (chance >> 16) % 300 + 1;
    if (int* const found = table.find(id)) {
      ASSERT_EQ(*found, expected.at(id));
      EXPECT_TRUE(table.erase(id));
      expected.erase(id);
    } else {
      ASSERT_FALSE(expected.contains(id));
      EXPECT_FALSE(table.erase(id));
      EXPECT_EQ(table.insert(id, i), i);
      expected[id] = i;
    }
    ASSERT_EQ(table.size(), expected.size());
  }
}

}  // namespace
}  // namespace saslatch::dovecot
