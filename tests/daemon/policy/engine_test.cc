// The numbered points of DESIGN, section 6, each with its own table or story. Whole attacks are in
// scenarios/.
#include "daemon/policy/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/policy/world.h"

namespace saslatch::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kFailures = Count::kFailures;
constexpr const char* kHome = "192.0.2.1";
constexpr const char* kElsewhere = "198.51.100.1";

Rule guess_account(uint32_t events = 3, Duration lasts = 1min) {
  return rule("guess-account", kFailures, By::kUser, events, 10min, Then::kLock, lasts);
}

Rule sparing(Rule rule) {
  rule.spare_familiar = true;
  return rule;
}

// A wrong password that nobody has sent before.
std::string fresh() {
  static int n = 0;
  return "guess " + std::to_string(++n);
}

Login guess(const std::string& user, const std::string& rip = kElsewhere) {
  return {user, fresh(), rip};
}

Login cram(const std::string& user, const std::string& rip = kElsewhere) {
  return {user, fresh(), rip, false};
}

class EngineTest : public ::testing::Test {
 protected:
  void start(std::vector<Rule> rules, Settings settings = {}) {
    world_ = std::make_unique<World>(std::move(rules), std::move(settings));
    for (const char* user : {"alice", "bob", "carol"}) world_->account(user, right(user).password);
  }
  static Login right(const std::string& user, const std::string& rip = kHome) {
    return {user, "right password of " + user, rip};
  }
  World& world() { return *world_; }
  // Wrong guesses until one is refused; how many were verified.
  size_t guesses_let_through(const std::function<Login()>& next, size_t tries = 1000) {
    size_t verified = 0;
    for (size_t i = 0; i < tries; ++i) verified += world().login(next()).wrong() ? 1 : 0;
    return verified;
  }
  std::unique_ptr<World> world_;
};

// Point 1.

TEST_F(EngineTest, RefusesRightAndWrongAlikeOnceLocked) {
  start({guess_account()});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world().login(guess("alice")).wrong());
  for (const Login& login : {right("alice"), guess("alice"), cram("alice")}) {
    const Try refused = world().login(login);
    ASSERT_TRUE(refused.refused());
    EXPECT_EQ(refused.hit->cause, Cause::kLocked);
    EXPECT_EQ(refused.hit->rule, "guess-account");
    EXPECT_EQ(refused.hit->subject, "user:alice");
    EXPECT_EQ(refused.hit->until, world().now + 1min);
  }
  EXPECT_TRUE(world().login(right("bob")).in()) << "a lock reached another subject";
}

TEST_F(EngineTest, AnswersAsTheRuleSays) {
  Rule rule = guess_account(1);
  rule.answer = Answer::kTemporary;
  start({rule});
  (void)world().login(guess("alice"));
  EXPECT_EQ(world().reserve(right("alice")).answer, Answer::kTemporary);
}

// Point 2.

TEST_F(EngineTest, LetsAtMostNWrongGuessesThroughHoweverParallel) {
  for (const size_t workers : {size_t{1}, size_t{2}, size_t{7}, SIZE_MAX}) {
    for (const bool shown : {true, false}) {
      start({guess_account(10)});
      std::vector<Login> guesses;
      for (uint32_t i = 0; i < 200; ++i)
        guesses.push_back({"alice", fresh(), address("203.0.113.0", i), shown});
      const Tally tally = world().rush(guesses, workers);
      EXPECT_EQ(tally.wrong, 10u) << workers;
      EXPECT_EQ(tally.refused, 190u);
      EXPECT_EQ(tally.hanging, 0u);
    }
  }
}

TEST_F(EngineTest, LetsEverybodyInWhoMustOnlyWait) {
  start({rule("guess-address", kFailures, By::kIp, 10, 10min, Then::kLock, 1min)});
  std::vector<Login> colleagues;
  for (int i = 0; i < 60; ++i) {
    colleagues.push_back({"user" + std::to_string(i), "right", kHome});
    world().account(colleagues.back().user, "right");
  }
  for (const size_t workers : {size_t{1}, size_t{4}, SIZE_MAX}) {
    const Tally tally = world().rush(colleagues, workers);
    EXPECT_EQ(tally.in, 60u);
    EXPECT_EQ(tally.hanging, 0u);
    EXPECT_EQ(tally.waited, workers == SIZE_MAX ? 50u : 0u);
  }
}

TEST_F(EngineTest, RepetitionsInFlightShareOneReservation) {
  start({guess_account(2)});
  const Tally owner = world().rush(std::vector<Login>(40, right("alice")));
  EXPECT_EQ(owner.in, 40u);
  EXPECT_EQ(owner.waited, 0u);
  const Login stale{"alice", "last year's", kHome};
  const Tally phone = world().rush(std::vector<Login>(40, stale));
  EXPECT_EQ(phone.wrong, 40u);
  EXPECT_EQ(phone.refused, 0u);
  EXPECT_TRUE(world().login(guess("alice")).wrong()) << "forty repetitions counted more than once";
  EXPECT_TRUE(world().login(right("alice")).refused());
}

TEST_F(EngineTest, ADroppedTicketCountsNothingAndWakesWhoWaits) {
  start({guess_account(1)});
  int woken = 0;
  {
    const Decision first = world().reserve(guess("alice"));
    ASSERT_EQ(first.verdict, Verdict::kAllow);
    EXPECT_EQ(world().reserve(guess("alice"), [&] { ++woken; }).verdict, Verdict::kWait);
    EXPECT_EQ(world().engine->figures(world().now).waiting, 1u);
    EXPECT_EQ(woken, 0);
  }
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(world().login(right("alice")).in());
  EXPECT_EQ(world().engine->figures(world().now).pending, 0u);
  EXPECT_EQ(world().engine->figures(world().now).waiting, 0u);
}

TEST_F(EngineTest, ARefusalElsewhereGoesBeforeWaiting) {
  start({rule("by-user", kFailures, By::kUser, 1, 10min, Then::kLock, 1min),
         rule("by-ip", kFailures, By::kIp, 1, 10min, Then::kLock, 1h)});
  (void)world().login(guess("bob", kHome));  // locks the address
  const Decision first = world().reserve(guess("alice", kElsewhere));
  ASSERT_EQ(first.verdict, Verdict::kAllow);
  const Try other = world().login(guess("alice", kHome));
  ASSERT_TRUE(other.refused());
  EXPECT_EQ(other.hit->rule, "by-ip");
}

TEST_F(EngineTest, WhoIsRefusedOrWaitsHoldsNothing) {
  start({rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h), guess_account(1)});
  const Decision first = world().reserve(guess("alice", kHome));
  EXPECT_EQ(world().reserve(guess("alice", kElsewhere)).verdict, Verdict::kWait);
  EXPECT_EQ(world().engine->figures(world().now).pending, 2u);
}

TEST_F(EngineTest, WakesOnlyAsManyAsThereIsRoomFor) {
  start({guess_account(4)});
  std::vector<Ticket> running;
  for (int i = 0; i < 4; ++i) running.push_back(world().reserve(guess("alice")).ticket);
  int woken = 0;
  for (int i = 0; i < 9; ++i) (void)world().reserve(guess("alice"), [&] { ++woken; });
  const auto settle = [&](size_t i, Outcome outcome) {
    (void)world().engine->settle(std::move(running[i]), outcome, world().now);
    return woken;
  };
  EXPECT_EQ(settle(0, Outcome::kBadCredential), 0) << "a failure leaves no room";
  EXPECT_EQ(settle(1, Outcome::kOurTrouble), 1);
  EXPECT_EQ(settle(2, Outcome::kOurTrouble), 3) << "one more, and one for who did not come";
  settle(3, Outcome::kSuccess);
  EXPECT_EQ(woken, 9) << "nothing is verified any more: nobody may be left behind";
}

// Point 3: what is an event of what.

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

// Point 4.

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

// Point 5.

TEST_F(EngineTest, ASuccessGivesBackTheUsersFailuresFromThatNetworkOnly) {
  start({guess_account(3)});
  (void)world().login(guess("alice", "192.0.2.7"));
  (void)world().login(guess("alice", kElsewhere));
  EXPECT_TRUE(world().login(right("alice", "192.0.2.8")).in());
  EXPECT_THAT(world().login(guess("alice", kHome)).settled.locks, IsEmpty());
  EXPECT_EQ(world().login(guess("alice", kHome)).settled.locks.size(), 1u)
      << "the failure from elsewhere still counts";
}

TEST_F(EngineTest, ASuccessClearsNothingOfAddressPasswordOrEveryone) {
  for (const By by : {By::kIp, By::kNetwork, By::kEveryone, By::kPassword}) {
    start({rule("r", Count::kDistinctUsers, by, 3, 10min, Then::kLock, 1h)});
    const std::string password = "spring2030";
    for (const char* victim : {"a", "b", "c"}) {
      EXPECT_TRUE(world().login({victim, password, kHome}).wrong());
      EXPECT_EQ(world().login(right("bob")).in(), std::string(victim) != "c" || by == By::kPassword)
          << "the attacker's own account";
    }
    EXPECT_TRUE(world().login({"d", password, kHome}).refused()) << to_string(by);
  }
}

// Points 6 and 7.

TEST_F(EngineTest, SparesAFamiliarNetworkForAsLongAsItIsOne) {
  Settings settings;
  settings.familiar_for = 24h;
  start({sparing(guess_account(2, 240h))}, settings);
  EXPECT_TRUE(world().login(right("alice", "192.0.2.1")).in());
  for (int i = 0; i < 2; ++i) (void)world().login(guess("alice"));
  EXPECT_TRUE(world().login(right("alice", "198.51.100.7")).refused());
  world().now += 23h;
  const Try spared = world().login({"alice", "mistyped", "192.0.2.200"});
  EXPECT_TRUE(spared.wrong()) << "same /24";
  EXPECT_TRUE(spared.familiar);
  world().now += 1h;
  EXPECT_TRUE(world().login(right("alice", "192.0.2.200")).refused()) << "24 h are over";
}

TEST_F(EngineTest, WhatARuleSparesItDoesNotCount) {
  start({sparing(guess_account(2))});
  world().know("alice", kHome);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(world().login(guess("alice", kHome)).wrong());
  EXPECT_TRUE(world().login(guess("alice", kElsewhere)).wrong());
  EXPECT_TRUE(world().login(right("alice", kElsewhere)).in());
}

TEST_F(EngineTest, APairsOwnFailuresCountUnderItsOwnRule) {
  start({sparing(guess_account(2)),
         rule("pair", kFailures, By::kUserNetwork, 4, 10min, Then::kLock, 1min)});
  world().know("alice", kHome);
  EXPECT_EQ(guesses_let_through([] { return guess("alice", kHome); }, 50), 4u);
  EXPECT_TRUE(world().login(right("alice", kHome)).refused());
  EXPECT_TRUE(world().login(right("alice", kElsewhere)).in());
}

TEST_F(EngineTest, TheNewestNetworksStayFamiliar) {
  Settings settings;
  settings.familiar_max = 3;
  start({}, settings);
  for (const char* rip : {"192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.2.1", "10.0.0.1"}) {
    world().know("alice", rip);
    world().now += 1min;
  }
  std::vector<std::string> networks;
  for (const auto& place :
       world().engine->explain(*Subject::parse("user:alice"), world().now).familiar)
    networks.push_back(place.network);
  EXPECT_THAT(networks, ElementsAre("10.0.0.0/24", "192.0.2.0/24", "203.0.113.0/24"));
}

TEST_F(EngineTest, SharedSourcesAreNoSubjectOfAddressRulesButOfPairs) {
  for (const char* rip : {"127.0.0.1", "::1", "", "not an address", "::ffff:127.0.0.1"}) {
    start({rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h),
           rule("by-net", kFailures, By::kNetwork, 2, 10min, Then::kLock, 1h),
           rule("pair", kFailures, By::kUserNetwork, 3, 10min, Then::kLock, 1h)});
    for (int i = 0; i < 60; ++i)
      EXPECT_TRUE(world().login(guess("victim" + std::to_string(i), rip)).wrong()) << rip;
    EXPECT_TRUE(world().login(right("bob", rip)).in()) << rip;
    EXPECT_EQ(guesses_let_through([&] { return guess("alice", rip); }, 50), 3u) << rip;
    EXPECT_TRUE(world().login(right("bob", rip)).familiar) << rip;
  }
}

TEST_F(EngineTest, TrustedSourcesAreNeverCountedNorRefused) {
  Settings settings;
  settings.trusted = {*Network::parse("203.0.113.9")};
  start({guess_account(2), rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h)}, settings);
  for (int i = 0; i < 50; ++i) {
    const Decision decision = world().reserve(guess("alice", "203.0.113.9"));
    EXPECT_EQ(decision.verdict, Verdict::kAllow);
    EXPECT_TRUE(decision.trusted);
  }
  EXPECT_TRUE(world().engine->is_trusted(IpAddress::parse("::ffff:203.0.113.9")));
  EXPECT_FALSE(world().engine->is_trusted(std::nullopt));
  EXPECT_TRUE(world().login(right("alice")).in());
  EXPECT_EQ(world().engine->figures(world().now).counters, 0u);
}

TEST_F(EngineTest, MappedAddressesAreOneSubject) {
  start({rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h)});
  (void)world().login(guess("alice", "192.0.2.1"));
  (void)world().login(guess("alice", "::ffff:192.0.2.1"));
  EXPECT_TRUE(world().login(right("alice", "192.0.2.1")).refused());
}

TEST_F(EngineTest, ARulesPrefixesSayWhatItsNetworkIs) {
  Rule wide = rule("wide", kFailures, By::kNetwork, 2, 10min, Then::kLock, 1h);
  wide.ipv4_prefix = 16;
  wide.ipv6_prefix = 48;
  start({wide});
  (void)world().login(guess("alice", "192.0.2.1"));
  (void)world().login(guess("alice", "192.0.200.1"));
  EXPECT_EQ(world().login(right("alice", "192.0.9.9")).hit->subject, "network:192.0.0.0/16");
  (void)world().login(guess("alice", "2001:db8:1:1::1"));
  (void)world().login(guess("alice", "2001:db8:1:ffff::1"));
  EXPECT_EQ(world().login(right("alice", "2001:db8:1:2::9")).hit->subject,
            "network:2001:db8:1::/48");
  EXPECT_TRUE(world().login(right("alice", "2001:db8:2::1")).in());
}

TEST_F(EngineTest, AnAddressAndItsNetworkOfOneCountEachForThemselves) {
  Rule one = rule("one", kFailures, By::kNetwork, 2, 10min, Then::kLock, 1h);
  one.ipv4_prefix = 32;
  start({rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h), one});
  (void)world().login(guess("alice", kHome));
  EXPECT_EQ(world().login(guess("alice", kHome)).settled.locks.size(), 2u);
  EXPECT_EQ(world().engine->clear(*Subject::parse("ip:192.0.2.1"), world().now).size(), 2u);
}

// Point 8.

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
    return world().engine->admit_account(alias.ticket, "alice", world().now, [&] { ++woken; });
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

// Point 10.

TEST_F(EngineTest, ObserveDecidesEverythingAndRefusesNobody) {
  Settings observe;
  observe.mode = Mode::kObserve;
  for (const Then then : {Then::kLock, Then::kRefuse, Then::kDelay}) {
    start({rule("r", kFailures, By::kUser, 3, 10min, then, then == Then::kRefuse ? 0s : 2s)},
          observe);
    for (int i = 0; i < 3; ++i) {
      const Try counted = world().login(guess("alice"));
      EXPECT_EQ(counted.would.has_value(), then == Then::kDelay && i == 2) << i;
    }
    const Try right_one = world().login(right("alice"));
    EXPECT_TRUE(right_one.in());
    ASSERT_TRUE(right_one.would);
    EXPECT_EQ(right_one.would->cause, then == Then::kLock     ? Cause::kLocked
                                      : then == Then::kRefuse ? Cause::kRate
                                                              : Cause::kDelay);
    EXPECT_EQ(right_one.would->rule, "r");
    EXPECT_EQ(right_one.would->subject, "user:alice");
    EXPECT_EQ(right_one.settled.hold, Duration(0));
    EXPECT_THAT(right_one.settled.locks, IsEmpty());
  }
}

TEST_F(EngineTest, ObserveMakesNobodyWait) {
  Settings observe;
  observe.mode = Mode::kObserve;
  start({guess_account(3)}, observe);
  std::vector<Login> guesses;
  for (int i = 0; i < 50; ++i) guesses.push_back(guess("alice"));
  const Tally tally = world().rush(guesses);
  EXPECT_EQ(tally.waited, 0u);
  EXPECT_EQ(tally.wrong, 50u);
}

TEST_F(EngineTest, LocksOfObserveNeverBecomeReal) {
  Settings settings;
  settings.mode = Mode::kObserve;
  start({guess_account(2, 1h)}, settings);
  for (int i = 0; i < 2; ++i) (void)world().login(guess("alice"));
  EXPECT_TRUE(world().login(right("alice")).would);
  EXPECT_THAT(world().engine->locks(world().now), IsEmpty());
  EXPECT_EQ(world().engine->figures(world().now).locks, 0u);
  for (const Change& change : world().engine->durable_state(world().now))
    EXPECT_FALSE(std::holds_alternative<LockRecord>(change));
  settings.mode = Mode::kEnforce;
  settings.rules = {guess_account(2, 1h)};
  world().engine->configure(settings, world().now);
  EXPECT_TRUE(world().login(right("alice")).in());
}

TEST_F(EngineTest, ObserveAgreesWithEnforceAboutEachAttempt) {
  std::vector<Rule> rules = *preset_rules(kDefaultPreset);
  Settings observe;
  observe.mode = Mode::kObserve;
  World strict(rules), lenient(rules, observe);
  for (World* world : {&strict, &lenient}) world->account("alice", "right");
  for (int i = 0; i < 2000; ++i) {
    // Guesses at ten accounts from fifty addresses; no success, which would tell the two apart.
    const Login login{"user" + std::to_string(i * 7 % 10), "guess " + std::to_string(i),
                      address("203.0.113.0", static_cast<uint32_t>(i * 13 % 50))};
    const Try a = strict.login(login), b = lenient.login(login);
    ASSERT_EQ(a.refused(), b.would.has_value()) << i;
    if (a.hit) {
      EXPECT_EQ(a.hit->rule, b.would->rule);
    }
    strict.now += 37s;
    lenient.now = strict.now;
  }
}

// Point 12.

TEST_F(EngineTest, OurTroubleIsHeldAgainstNobody) {
  for (const Count count : {Count::kAttempts, kFailures, Count::kUnknownUsers,
                            Count::kDistinctUsers, Count::kDistinctPasswords}) {
    start({rule("r", count, By::kIp, 2, 10min, Then::kLock, 1h)});
    for (int i = 0; i < 20; ++i) {
      Decision decision = world().reserve(guess("alice"));
      ASSERT_EQ(decision.verdict, Verdict::kAllow);
      (void)world().engine->settle(std::move(decision.ticket), Outcome::kOurTrouble, world().now);
    }
    EXPECT_EQ(world().engine->figures(world().now).subjects, 0u);
  }
}

TEST_F(EngineTest, AnEmptyTicketSettlesNothing) {
  start({guess_account(1)});
  (void)world().engine->settle(Ticket(), Outcome::kBadCredential, world().now);
  Ticket none;
  EXPECT_EQ(world().engine->admit_account(none, "alice", world().now, nullptr).verdict,
            Verdict::kAllow);
  EXPECT_EQ(world().engine->figures(world().now).subjects, 0u);
}

TEST_F(EngineTest, ExplainTellsWhatIsHeld) {
  start({sparing(guess_account(3)),
         rule("pair", kFailures, By::kUserNetwork, 5, 10min, Then::kLock, 1min),
         rule("site", kFailures, By::kNetwork, 50, 10min, Then::kLock, 1min)});
  world().know("alice", kHome);
  for (int i = 0; i < 12; ++i) {
    world().now += 1s;
    (void)world().login(guess("alice"));
  }
  const Explanation user = world().engine->explain(*Subject::parse("user:alice"), world().now);
  ASSERT_EQ(user.locks.size(), 1u);
  EXPECT_EQ(user.locks[0].rule, "guess-account");
  EXPECT_EQ(user.attempts.size(), 10u);
  EXPECT_EQ(user.attempts[0].outcome, "locked");
  EXPECT_EQ(user.attempts[0].rule, "guess-account");
  EXPECT_EQ(user.attempts[9].outcome, "bad-credential");
  EXPECT_EQ(user.attempts[9].rip, kElsewhere);
  EXPECT_EQ(user.familiar.size(), 1u);
  std::vector<std::string> subjects;
  for (const RuleState& state : user.rules) subjects.push_back(state.subject);
  EXPECT_THAT(subjects, ElementsAre("user:alice", "user+network:alice,198.51.100.0/24",
                                    "user+network:alice,192.0.2.0/24"));
  EXPECT_EQ(user.rules[1].counted, 3u);
  const Explanation ip = world().engine->explain(*Subject::parse("ip:198.51.100.1"), world().now);
  ASSERT_EQ(ip.rules.size(), 1u);
  EXPECT_EQ(ip.rules[0].subject, "network:198.51.100.0/24");
  EXPECT_EQ(ip.rules[0].counted, 3u);
}

}  // namespace
}  // namespace saslatch::policy
