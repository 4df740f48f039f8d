// The numbered points of DESIGN, section 6, each with its own table or story.
#include "daemon/policy/engine.h"

#include <gtest/gtest.h>

#include "tests/daemon/policy/world.h"

namespace saslatch::policy {
namespace {

constexpr auto kFailures = Count::kFailures;

Rule guess_account(uint32_t events = 3) {
  return rule("guess-account", kFailures, By::kUser, events, 10min, Then::kLock, 1min);
}

// A wrong password that nobody has sent before.
std::string fresh() {
  static int n = 0;
  return "guess " + std::to_string(++n);
}

Login guess(const std::string& user, const std::string& rip = "198.51.100.1") {
  return {user, fresh(), rip};
}

TEST(Engine, RefusesWithoutVerifyingOnceTheLimitIsReached) {
  World world({guess_account()});
  world.account("alice", "right");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world.login(guess("alice")).wrong());
  const Try right = world.login({"alice", "right", "198.51.100.1"});
  ASSERT_TRUE(right.refused());
  EXPECT_EQ(right.hit->cause, Cause::kLocked);
  EXPECT_EQ(right.hit->rule, "guess-account");
  EXPECT_EQ(right.hit->subject, "user:alice");
  EXPECT_EQ(right.hit->until, world.now + 1min);
  EXPECT_TRUE(world.login(guess("bob")).wrong()) << "a lock reached another subject";
}

TEST(Engine, LetsAtMostNWrongGuessesThroughHoweverParallel) {
  for (const size_t workers : {size_t{1}, size_t{2}, size_t{7}, SIZE_MAX}) {
    World world({guess_account(10)});
    world.account("alice", "right");
    std::vector<Login> guesses;
    for (uint32_t i = 0; i < 200; ++i) guesses.push_back(guess("alice", address("192.0.2.0", i)));
    const Tally tally = world.rush(guesses, workers);
    EXPECT_EQ(tally.wrong, 10u) << workers;
    EXPECT_EQ(tally.refused, 190u);
    EXPECT_EQ(tally.hanging, 0u);
  }
}

TEST(Engine, LetsEverybodyInWhoMustOnlyWait) {
  World world({rule("guess-address", kFailures, By::kIp, 10, 10min, Then::kLock, 1min)});
  std::vector<Login> colleagues;
  for (int i = 0; i < 60; ++i) {
    colleagues.push_back({"user" + std::to_string(i), "right", "192.0.2.1"});
    world.account(colleagues.back().user, "right");
  }
  const Tally tally = world.rush(colleagues);
  EXPECT_EQ(tally.in, 60u);
  EXPECT_EQ(tally.waited, 50u);
  EXPECT_EQ(tally.hanging, 0u);
}

}  // namespace
}  // namespace saslatch::policy
