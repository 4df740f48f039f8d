// DESIGN 6.10, and `explain`.
#include "tests/daemon/policy/engine_test_kit.h"

namespace saslatch::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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
  settings.mode = Mode::kObserve;
  world().engine->configure(settings, world().now);
  EXPECT_FALSE(world().login(right("alice", kElsewhere)).would) << "gone for good";
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
