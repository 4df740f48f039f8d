// DESIGN 6.1, 6.2 and 6.12: locks first, reservations, our own trouble.
#include "tests/daemon/policy/engine_test_kit.h"

namespace saslatch::policy {
namespace {

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
  Ticket other = world().reserve(guess("alice")).ticket;  // leaves room for one
  const Tally owner = world().rush(std::vector<Login>(40, right("alice")));
  EXPECT_EQ(owner.in, 40u);
  EXPECT_EQ(owner.waited, 0u);
  other = Ticket();
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

}  // namespace
}  // namespace saslatch::policy
