// DESIGN 6.3 and 6.8: what is an event, and whose.
#include "tests/daemon/policy/engine_test_kit.h"

namespace saslatch::policy {
namespace {

using ::testing::IsEmpty;

struct Counted {
  const char* name;
  Count count;
  By by;
  std::vector<Login> logins;
  uint32_t events;
};

TEST_F(EngineTest, CountsWhatTheRuleSays) {
  const std::vector<Login> mixed = {right("alice"),
                                    {"alice", "wrong", kHome},
                                    {"alice", "wrong", kHome},
                                    {"alice", "other", kHome},
                                    {"nobody", "wrong", kHome},
                                    {"noone", "other", kHome},
                                    {"nobody", "wrong", kHome},
                                    {"bob", "x", kHome, false},
                                    {"bob", "x", kHome, false}};
  const Counted kCases[] = {
      {"attempts are successes and failures", Count::kAttempts, By::kIp, mixed, 9},
      {"failures but repetitions", kFailures, By::kIp, mixed, 6},
      {"unknown users but repetitions", Count::kUnknownUsers, By::kIp, mixed, 2},
      {"names that failed", Count::kDistinctUsers, By::kIp, mixed, 4},
      {"passwords that failed, CRAM-MD5 unseen", Count::kDistinctPasswords, By::kIp, mixed, 2},
      {"a network's failures", kFailures, By::kNetwork, mixed, 6},
      {"everyone's failures", kFailures, By::kEveryone, mixed, 6},
  };
  for (const Counted& c : kCases) {
    start({rule("counted", c.count, c.by, 100, 10min, Then::kLock, 1min)});
    for (const Login& login : c.logins) (void)world().login(login);
    const char* subject = c.by == By::kIp        ? "ip:192.0.2.1"
                          : c.by == By::kNetwork ? "network:192.0.2.0/24"
                                                 : "everyone";
    const auto states = world().engine->explain(*Subject::parse(subject), world().now).rules;
    ASSERT_EQ(states.size(), 1u) << c.name;
    EXPECT_EQ(states[0].counted, c.events) << c.name;
  }
}

TEST_F(EngineTest, ARepetitionCountsOnceASubjectAndAgainAfterAnHourOfSilence) {
  start({guess_account(3)});
  const Login stale{"alice", "last year's", kHome};
  EXPECT_FALSE(world().login(stale).settled.repeat);
  for (int i = 0; i < 288; ++i) {
    world().now += 5min;
    const Try again = world().login(stale);
    ASSERT_TRUE(again.wrong()) << "repetition " << i;
    EXPECT_TRUE(again.settled.repeat);
  }
  world().now += 61min;
  EXPECT_FALSE(world().login(stale).settled.repeat);
}

TEST_F(EngineTest, ARepetitionElsewhereCountsForTheOtherSubject) {
  start({guess_account(10), rule("by-ip", kFailures, By::kIp, 1, 10min, Then::kLock, 1min)});
  (void)world().login({"alice", "stale", kHome});
  const Try elsewhere = world().login({"alice", "stale", kElsewhere});
  EXPECT_TRUE(elsewhere.settled.repeat) << "alice has seen it";
  EXPECT_EQ(elsewhere.settled.locks.size(), 1u) << "the address has not";
}

TEST_F(EngineTest, ThePasswordsOfCramMd5AreNotSeen) {
  start({rule("spray", Count::kDistinctUsers, By::kPassword, 2, 10min, Then::kLock, 1h)});
  for (const char* user : {"a", "b", "c", "d"})
    EXPECT_TRUE(world().login({user, "same", kHome, false}).wrong());
  EXPECT_TRUE(world().login({"a", "same", kHome}).wrong());
  EXPECT_TRUE(world().login({"b", "same", kHome}).wrong());
  const Try sprayed = world().login({"c", "same", kElsewhere});
  ASSERT_TRUE(sprayed.refused());
  EXPECT_EQ(sprayed.hit->subject, "password") << "a password was shown";
  EXPECT_TRUE(world().login({"c", "another", kElsewhere}).wrong());
}

TEST_F(EngineTest, WindowsSlide) {
  start({guess_account(3)});
  (void)world().login(guess("alice"));
  world().now += 6min;
  (void)world().login(guess("alice"));
  world().now += 6min;  // the first is 12 minutes old
  EXPECT_THAT(world().login(guess("alice")).settled.locks, IsEmpty());
  world().now += 3min;
  EXPECT_EQ(world().login(guess("alice")).settled.locks.size(), 1u);
}

TEST_F(EngineTest, OneSubjectOneRuleNeverHearsOfAnother) {
  start({rule("by-net", kFailures, By::kUserNetwork, 2, 10min, Then::kLock, 1h)});
  for (int i = 0; i < 2; ++i) (void)world().login(guess("alice", kElsewhere));
  EXPECT_TRUE(world().login(right("alice", kElsewhere)).refused());
  EXPECT_TRUE(world().login(right("alice", kHome)).in());
  EXPECT_TRUE(world().login(right("bob", kElsewhere)).in());
}

TEST_F(EngineTest, AnAliasCountsOnTheAccountToo) {
  start({guess_account(4)});
  for (const char* name : {"a", "al", "ali", "alic"}) {
    world().alias(name, "alice");
    EXPECT_TRUE(world().login(guess(name)).wrong());
  }
  EXPECT_TRUE(world().login(right("alice")).refused()) << "four aliases, one account";
  const Try by_alias = world().login({"ali", right("alice").password, kHome});
  ASSERT_TRUE(by_alias.refused());
  EXPECT_EQ(by_alias.hit->subject, "user:alice");
  EXPECT_EQ(world().engine->figures(world().now).pending, 0u) << "the name's reservation stays";
}

TEST_F(EngineTest, AnAliasWaitsForTheAccountAndIsAskedAgain) {
  start({guess_account(1)});
  Decision direct = world().reserve(right("alice"));
  Decision alias = world().reserve({"ali", "x", kHome});
  int woken = 0;
  const auto admit = [&] {
    return world().engine->admit_account(alias.ticket, "alice", world().now,
                                         [&] { return Waiter([&] { ++woken; }); });
  };
  EXPECT_EQ(admit().verdict, Verdict::kWait);
  EXPECT_TRUE(alias.ticket);
  (void)world().engine->settle(std::move(direct.ticket), Outcome::kSuccess, world().now);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(admit().verdict, Verdict::kAllow);
  (void)world().engine->settle(std::move(alias.ticket), Outcome::kBadCredential, world().now);
  EXPECT_TRUE(world().login(right("alice")).refused());
}

TEST_F(EngineTest, ASuccessByAnAliasMakesTheNetworkFamiliarToTheAccount) {
  start({sparing(guess_account(2))});
  world().alias("ali", "alice");
  EXPECT_TRUE(world().login({"ali", right("alice").password, kHome}).in());
  EXPECT_TRUE(world().login(right("alice", kHome)).familiar);
}

TEST_F(EngineTest, NamesThatDoNotExistAreLockedLikeOthers) {
  start({guess_account(3)});
  for (const char* user : {"alice", "ghost"}) {
    EXPECT_EQ(guesses_let_through([&] { return guess(user); }, 20), 3u) << user;
    EXPECT_EQ(world().login(guess(user)).hit->until, world().now + 1min);
  }
}

TEST_F(EngineTest, ANameOfAKilobyteIsOneSubjectAndShownShort) {
  start({guess_account(1)});
  const std::string name(1024, 'a');
  (void)world().login(guess(name));
  (void)world().login(guess(name + "b"));
  const auto locks = world().engine->locks(world().now);
  ASSERT_EQ(locks.size(), 2u) << "two long names are not one";
  EXPECT_LT(locks[0].subject.size(), 300u);
  EXPECT_TRUE(world().login(guess(name)).refused());
}

TEST_F(EngineTest, AnAttemptWithoutANameIsCountedByItsSourceOnly) {
  start({guess_account(1), rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h)});
  EXPECT_TRUE(world().login(guess("")).wrong());
  EXPECT_TRUE(world().login(guess("")).wrong());
  EXPECT_EQ(world().login(guess("")).hit->subject, std::string("ip:") + kElsewhere);
}

}  // namespace
}  // namespace saslatch::policy
