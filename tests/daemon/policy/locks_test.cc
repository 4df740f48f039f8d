// DESIGN 6.4: trips, locks, rates, delays, administrators.
#include "tests/daemon/policy/engine_test_kit.h"

namespace saslatch::policy {
namespace {

using ::testing::IsEmpty;

TEST_F(EngineTest, TheNthEventTripsAndEmptiesTheWindow) {
  start({guess_account(3)});
  for (int lock = 0; lock < 5; ++lock) {
    EXPECT_EQ(guesses_let_through([] { return guess("alice"); }, 20), 3u) << lock;
    world().now += 1min;
  }
}

TEST_F(EngineTest, OpensInTheVeryMomentItPromised) {
  start({guess_account(1)});
  const Settled settled = world().login(guess("alice")).settled;
  ASSERT_EQ(settled.locks.size(), 1u);
  EXPECT_EQ(settled.locks[0].until, world().now + 1min);
  world().now = settled.locks[0].until - 1us;
  EXPECT_TRUE(world().login(right("alice")).refused());
  world().now += 1us;
  EXPECT_TRUE(world().login(right("alice")).in());
}

TEST_F(EngineTest, KnockingProlongsNothing) {
  start({guess_account(3), rule("rate", Count::kAttempts, By::kIp, 50, 10min, Then::kRefuse)});
  for (int i = 0; i < 3; ++i) (void)world().login(guess("alice"));
  for (int i = 0; i < 600; ++i) {
    EXPECT_TRUE(world().login(guess("alice")).refused()) << i;
    world().now += 100ms;
  }
  EXPECT_TRUE(world().login(right("alice", kElsewhere)).in());
}

TEST_F(EngineTest, LocksGrowUpToTheCapAndShrinkAfterADayOfPeace) {
  Rule rule = guess_account(1);
  rule.growing = Growth{2, 10min};
  start({rule});
  const auto next_lock = [&] {
    const Settled settled = world().login(guess("alice")).settled;
    const auto lasts = settled.locks.at(0).until - world().now;
    world().now = settled.locks.at(0).until;
    return std::pair(lasts / 1min, settled.locks.at(0).level);
  };
  EXPECT_EQ(next_lock(), std::pair(1l, 1u));
  EXPECT_EQ(next_lock(), std::pair(2l, 2u));
  EXPECT_EQ(next_lock(), std::pair(4l, 3u));
  world().now += 24h - 1s;
  EXPECT_EQ(next_lock(), std::pair(8l, 4u)) << "within 24 h of the last one's end";
  EXPECT_EQ(next_lock(), std::pair(10l, 5u));
  EXPECT_EQ(next_lock(), std::pair(10l, 6u));
  world().now += 24h;
  EXPECT_EQ(next_lock(), std::pair(1l, 1u));
}

TEST_F(EngineTest, WithoutGrowingEachLockIsTheFirst) {
  start({guess_account(1)});
  for (int i = 0; i < 3; ++i) {
    const Settled settled = world().login(guess("alice")).settled;
    EXPECT_EQ(settled.locks.at(0).until - world().now, 1min);
    EXPECT_EQ(settled.locks.at(0).level, 1u);
    world().now += 1min;
  }
}

TEST_F(EngineTest, ARateRefusesWhileNRemainInTheWindow) {
  start({rule("rate", kFailures, By::kUser, 3, 10min, Then::kRefuse)});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(world().login(guess("alice")).wrong());
    world().now += 1min;
  }
  const Try refused = world().login(right("alice"));
  ASSERT_TRUE(refused.refused());
  EXPECT_EQ(refused.hit->cause, Cause::kRate);
  EXPECT_EQ(refused.hit->subject, "user:alice");
  world().now = refused.hit->until;
  EXPECT_TRUE(world().login(guess("alice")).wrong()) << "two remain, so one more is allowed";
  EXPECT_TRUE(world().login(guess("alice")).refused());
}

TEST_F(EngineTest, ARateOfAttemptsCountsRightOnesTooAndGivesNothingBack) {
  start({rule("rate", Count::kAttempts, By::kUser, 3, 10min, Then::kRefuse)});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world().login(right("alice")).in());
  EXPECT_TRUE(world().login(right("alice")).refused());
  world().now += 10min + 10ms;
  const Tally tally = world().rush(std::vector<Login>(5, right("alice")));
  EXPECT_EQ(tally.in, 3u);
  EXPECT_EQ(tally.refused, 2u);
}

TEST_F(EngineTest, ADelayHoldsRightAndWrongAlikeAndRefusesNobody) {
  start({rule("slow", kFailures, By::kUser, 2, 10min, Then::kDelay, 3s)});
  EXPECT_EQ(world().login(guess("alice")).settled.hold, Duration(0));
  EXPECT_EQ(world().login(guess("alice")).settled.hold, 3s) << "the Nth trips";
  EXPECT_EQ(world().login(guess("alice")).settled.hold, 3s);
  EXPECT_EQ(world().login(right("alice", kElsewhere)).settled.hold, 3s);
  EXPECT_EQ(world().login(right("bob")).settled.hold, Duration(0));
  EXPECT_EQ(world().login(right("alice")).settled.hold, Duration(0))
      << "the success before gave the failures of its network back";
}

TEST_F(EngineTest, ADelayTrippedWhileAnAttemptIsVerifiedHoldsItToo) {
  start({rule("slow", kFailures, By::kUser, 2, 10min, Then::kDelay, 3s)});
  std::vector<Login> logins(20, right("alice"));
  for (int i = 0; i < 20; ++i) logins.push_back(guess("alice"));
  std::reverse(logins.begin(), logins.end());
  EXPECT_EQ(world().rush(logins).held, 39u);
}

TEST_F(EngineTest, ARefusedAnswerIsHeldByADelayAsAVerifiedOne) {
  start({rule("slow", kFailures, By::kUser, 2, 10min, Then::kDelay, 3s),
         rule("lock", kFailures, By::kUser, 3, 10min, Then::kLock, 1h)});
  for (int i = 0; i < 3; ++i) (void)world().login(guess("alice"));
  const Decision refused = world().reserve(right("alice"));
  EXPECT_EQ(refused.verdict, Verdict::kRefuse);
  EXPECT_EQ(refused.hold, 3s);
}

TEST_F(EngineTest, AnAdministratorsLockSparesNobody) {
  Settings settings;
  settings.trusted = {*Network::parse("203.0.113.9")};
  const struct {
    const char* subject;
    std::vector<Login> refused;
    std::vector<Login> allowed;
  } kCases[] = {
      {"user:alice",
       {right("alice"), right("alice", ""), right("alice", "203.0.113.9"), right("alice", "::1")},
       {right("bob")}},
      {"ip:192.0.2.1", {right("alice"), right("bob")}, {right("alice", "192.0.2.2")}},
      {"ip:127.0.0.1", {right("alice", "127.0.0.1")}, {right("alice", "127.0.0.2")}},
      {"network:192.0.2.0/28", {right("bob", "192.0.2.15")}, {right("bob", "192.0.2.16")}},
      {"network:2001:db8::/33",
       {right("bob", "2001:db8:7fff::1")},
       {right("bob", "2001:db8:8000::1")}},
      {"network:0.0.0.0/0", {right("bob", "203.0.113.9")}, {right("bob", "2001:db8::1")}},
      {"user+network:alice,192.0.2.0/24",
       {right("alice", "192.0.2.200")},
       {right("bob", "192.0.2.200"), right("alice", kElsewhere)}},
      {"user+network:alice,unknown", {right("alice", "")}, {right("bob", ""), right("alice")}},
      {"everyone", {right("alice"), right("bob", ""), right("bob", "2001:db8::1")}, {}},
  };
  for (const auto& c : kCases) {
    start({}, settings);
    world().know("alice", kHome);
    const Subject subject = *Subject::parse(c.subject);
    (void)world().engine->add_lock(subject, 1h, "abuse", world().now);
    for (const Login& login : c.refused) {
      const Try refused = world().login(login);
      ASSERT_TRUE(refused.refused()) << c.subject << " from " << login.rip;
      EXPECT_EQ(refused.hit->rule, kAdministrator);
      EXPECT_EQ(refused.hit->subject, c.subject);
    }
    for (const Login& login : c.allowed)
      EXPECT_TRUE(world().login(login).in()) << c.subject << " from " << login.rip;
    EXPECT_EQ(world().engine->clear(subject, world().now).size(), 1u);
    for (const Login& login : c.refused)
      EXPECT_TRUE(world().login(login).in()) << c.subject << " cleared";
  }
}

TEST_F(EngineTest, AnAdministratorsLockEndsByItself) {
  start({});
  (void)world().engine->add_lock(*Subject::parse("user:alice"), 10min, "", world().now);
  world().now += 10min;
  EXPECT_TRUE(world().login(right("alice")).in());
  for (int i = 0; i < 64; ++i) world().engine->sweep(world().now);
  EXPECT_EQ(world().engine->figures(world().now).subjects, 1u) << "one familiar network";
}

TEST_F(EngineTest, ClearTakesAllOfASubjectGrowthIncluded) {
  Rule lock = guess_account(2);
  lock.growing = Growth{2, 1h};
  start({lock, rule("rate", kFailures, By::kUser, 5, 1h, Then::kRefuse)});
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 2; ++i) (void)world().login(guess("alice"));
    if (round == 0) world().now += 1min;
  }
  const auto cleared = world().engine->clear(*Subject::parse("user:alice"), world().now);
  ASSERT_EQ(cleared.size(), 1u);
  EXPECT_EQ(cleared[0].level, 2u);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(world().login(guess("alice")).wrong());
  EXPECT_EQ(world().engine->locks(world().now).at(0).level, 1u) << "growth was not cleared";
}

TEST_F(EngineTest, ClearAllLeavesOwnersTheirNetworks) {
  start({sparing(guess_account(1)),
         rule("spray", Count::kDistinctUsers, By::kPassword, 1, 1h, Then::kLock, 1h)});
  world().know("bob", kHome);
  (void)world().login(guess("alice"));
  (void)world().engine->add_lock(*Subject::parse("ip:192.0.2.7"), 1h, "", world().now);
  EXPECT_EQ(world().engine->locks(world().now).size(), 3u);
  EXPECT_EQ(world().engine->clear(*Subject::parse("password"), world().now).size(), 1u);
  EXPECT_EQ(world().engine->clear_all(world().now).size(), 2u);
  EXPECT_THAT(world().engine->locks(world().now), IsEmpty());
  EXPECT_TRUE(world().login(right("alice")).in());
  EXPECT_TRUE(world().login(right("bob")).familiar);
}

TEST_F(EngineTest, ASuccessClearsNoLock) {
  start({sparing(guess_account(1))});
  world().know("alice", kHome);
  (void)world().login(guess("alice"));
  EXPECT_TRUE(world().login(right("alice", kHome)).in());
  EXPECT_TRUE(world().login(right("alice", kElsewhere)).refused());
}

}  // namespace
}  // namespace saslatch::policy
