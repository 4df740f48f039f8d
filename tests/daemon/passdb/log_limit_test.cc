#include "daemon/passdb/log_limit.h"

#include <gtest/gtest.h>

namespace saslatch::passdb {
namespace {

using std::chrono::seconds;

LogLimit::Time at(int second) { return LogLimit::Time(seconds(1000 + second)); }

TEST(LogLimit, SaysEachTroubleOnceAMinute) {
  LogLimit limit;
  EXPECT_TRUE(limit.admits("alice", at(0)));
  EXPECT_FALSE(limit.admits("alice", at(0)));
  EXPECT_TRUE(limit.admits("bob", at(1)));
  EXPECT_FALSE(limit.admits("alice", at(59)));
  EXPECT_TRUE(limit.admits("alice", at(60)));
  EXPECT_FALSE(limit.admits("alice", at(119)));
}

TEST(LogLimit, RemembersNoMoreThanItsBoundAndForgetsTheOld) {
  LogLimit limit;
  for (size_t i = 0; i < LogLimit::kMaxKeys; ++i) {
    ASSERT_TRUE(limit.admits(std::to_string(i), at(0)));
  }
  EXPECT_FALSE(limit.admits("one more", at(1)));
  EXPECT_FALSE(limit.admits("one more", at(59)));
  EXPECT_TRUE(limit.admits("one more", at(60)));
}

}  // namespace
}  // namespace saslatch::passdb
