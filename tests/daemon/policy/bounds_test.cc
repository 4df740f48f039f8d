// Memory, eviction, reload, restart, threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "tests/daemon/policy/world.h"

namespace saslatch::policy {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kHome = "192.0.2.1";

Settings of(size_t max_subjects) {
  Settings settings;
  settings.max_subjects = max_subjects;
  return settings;
}

Rule lock_users(uint32_t events, Duration lasts = 1h) {
  return rule("users", Count::kFailures, By::kUser, events, 1h, Then::kLock, lasts);
}

std::string name(int i) { return "user" + std::to_string(i); }

// Changes as they are appended, like a journal that never fails.
class List final : public Journal {
 public:
  uint64_t append(const Change& change) override {
    const std::lock_guard guard(mutex_);
    changes_.push_back(change);
    return changes_.size();
  }
  std::vector<Change> changes() const {
    const std::lock_guard guard(mutex_);
    return changes_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Change> changes_;
};

TEST(Eviction, KeepsAllInsideMaxSubjects) {
  for (const size_t max : {size_t{100}, size_t{1500}, size_t{9000}}) {
    World world(*preset_rules(kDefaultPreset), of(max));
    for (int i = 0; i < 5000; ++i) {
      (void)world.login({name(i), name(i), address("10.0.0.0", static_cast<uint32_t>(i * 65539))});
      ASSERT_LE(world.engine->figures(world.now).subjects, max);
      world.now += 1ms;
    }
    EXPECT_GT(world.engine->figures(world.now).evicted, 0u);
  }
}

TEST(Eviction, NeverTakesALiveLockWhileThereIsAnythingElse) {
  World world({lock_users(2)}, of(400));
  for (int i = 0; i < 100; ++i)
    for (const char* guess : {"a", "b"}) (void)world.login({name(i), guess, kHome});
  for (int i = 1000; i < 5000; ++i) {
    (void)world.login({name(i), "a", kHome});
    world.now += 100ms;
  }
  EXPECT_THAT(world.engine->locks(world.now), SizeIs(100));
  EXPECT_EQ(world.engine->figures(world.now).evicted_locks, 0u);
}

TEST(Eviction, WhenLocksAloneFillItTheOneThatEndsFirstMakesRoom) {
  for (const size_t max : {size_t{100}, size_t{20'000}}) {
    World world({}, of(max));
    const int many = static_cast<int>(max) + 50;
    for (int i = 0; i < many; ++i) {
      // The later, the sooner it ends.
      const Subject subject{By::kUser, name(i), std::nullopt};
      (void)world.engine->add_lock(subject, 10h - i * 1s, "", world.now);
    }
    const auto locks = world.engine->locks(world.now);
    EXPECT_THAT(locks, SizeIs(max));
    EXPECT_EQ(world.engine->figures(world.now).evicted_locks, 50u);
    std::set<std::string> kept;
    for (const LockInfo& lock : locks) kept.insert(lock.subject);
    for (int i = 0; i < static_cast<int>(max) - 1; ++i)
      EXPECT_TRUE(kept.contains("user:" + name(i))) << i;
  }
}

TEST(Eviction, AFloodOfNamesDrivesOutNeitherOwnersNorAlmostReachedLimits) {
  std::vector<Rule> rules = {lock_users(10)};
  rules[0].spare_familiar = true;
  World world(rules, of(2000));
  for (int i = 0; i < 500; ++i) world.know(name(i), kHome);
  for (int i = 0; i < 9; ++i) (void)world.login({"victim", std::to_string(i), "198.51.100.1"});
  for (int i = 10'000; i < 30'000; ++i) {
    (void)world.login({name(i), "x", "198.51.100.2"});
    world.now += 10ms;
  }
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(world.reserve({name(i), "x", kHome}).familiar);
  EXPECT_THAT(world.login({"victim", "last", "198.51.100.1"}).settled.locks, SizeIs(1));
}

TEST(Eviction, FamiliarNetworksLeaveRoomForCounters) {
  World world({lock_users(10)}, of(1000));
  for (int i = 0; i < 5000; ++i) world.know(name(i), kHome);
  for (int i = 0; i < 9; ++i) (void)world.login({"victim", std::to_string(i), "198.51.100.1"});
  for (int i = 5000; i < 6000; ++i) world.know(name(i), kHome);
  EXPECT_THAT(world.login({"victim", "last", "198.51.100.1"}).settled.locks, SizeIs(1));
}

TEST(Sweep, LeavesNothingOfWhatHasExpired) {
  Settings settings;
  settings.familiar_for = 24h * 30;
  World world(*preset_rules(kDefaultPreset), settings);
  for (int i = 0; i < 3000; ++i)
    (void)world.login({name(i % 700), std::to_string(i),
                       address("10.0.0.0", static_cast<uint32_t>(i % 497 * 65539))});
  for (int i = 0; i < 100; ++i) world.know("owner" + std::to_string(i), kHome);
  EXPECT_GT(world.engine->figures(world.now).subjects, 1000u);
  world.now += 24h * 31;
  for (int i = 0; i < 64; ++i) world.engine->sweep(world.now);
  const Figures after = world.engine->figures(world.now);
  EXPECT_EQ(after.subjects, 0u);
  EXPECT_LT(after.bytes, 700'000u);
}

TEST(Configure, KeepsWhatItsRuleStillCounts) {
  std::vector<Rule> rules = {lock_users(3),
                             rule("ips", Count::kFailures, By::kIp, 4, 1h, Then::kLock, 1h)};
  World world(rules);
  for (int i = 0; i < 3; ++i) (void)world.login({"locked", std::to_string(i), "10.0.0.1"});
  for (int i = 0; i < 2; ++i) (void)world.login({"almost", std::to_string(i), "10.0.0.2"});
  (void)world.engine->add_lock(*Subject::parse("user:thief"), 1h, "", world.now);
  Ticket in_flight = world.reserve({"almost", "third", "10.0.0.2"}).ticket;

  Settings changed = *world.engine->settings();
  std::swap(changed.rules[0], changed.rules[1]);
  changed.rules[1].limit.events = 4;   // still the same counters
  changed.rules[0].by = By::kNetwork;  // another definition: its counters go
  changed.rules.push_back(rule("new", Count::kAttempts, By::kUser, 1000, 1h, Then::kRefuse));
  world.engine->configure(changed, world.now);

  EXPECT_TRUE(world.login({"locked", "x", "10.0.9.1"}).refused());
  EXPECT_TRUE(world.login({"thief", "x", "10.0.9.1"}).refused());
  const auto settled =
      world.engine->settle(std::move(in_flight), Outcome::kBadCredential, world.now);
  EXPECT_THAT(settled.locks, IsEmpty()) << "three of four";
  EXPECT_THAT(world.login({"almost", "fourth", "10.0.0.3"}).settled.locks, SizeIs(1));
  EXPECT_EQ(world.engine->figures(world.now).pending, 0u);

  changed.rules.clear();
  world.engine->configure(changed, world.now);
  EXPECT_TRUE(world.login({"locked", "x", "10.0.9.1"}).wrong());
  EXPECT_TRUE(world.login({"thief", "x", "10.0.9.1"}).refused()) << "no rule's lock";
  EXPECT_EQ(world.engine->figures(world.now).counters, 0u);
}

// A second engine that has what a first one had stored when it was killed.
struct Reborn {
  static void move(World& from, const List& journal, World& to) {
    for (const Change& change : journal.changes()) to.engine->restore(change, to.now);
    for (const CounterRecord& record : from.engine->take_changed_counters())
      to.engine->restore(record, to.now);
  }
};

std::vector<Rule> growing() {
  Rule users = lock_users(2, 10min);
  users.growing = Growth{2, 1h};
  users.spare_familiar = true;
  return {users, rule("pairs", Count::kFailures, By::kUserNetwork, 3, 1h, Then::kLock, 1h),
          rule("words", Count::kDistinctPasswords, By::kIp, 3, 1h, Then::kLock, 1h),
          rule("spray", Count::kDistinctUsers, By::kPassword, 2, 1h, Then::kLock, 1h)};
}

TEST(Restore, BringsBackLocksGrowthNetworksAndCounters) {
  List journal;
  World first(growing(), {}, &journal);
  first.know("alice", kHome);
  for (const char* guess : {"1", "2"}) (void)first.login({"alice", guess, "10.0.0.1"});
  first.now += 10min;
  for (const char* guess : {"3", "4"}) (void)first.login({"alice", guess, "10.1.0.1"});
  (void)first.login({"bob", "5", "10.2.0.1"});
  (void)first.engine->add_lock(*Subject::parse("network:203.0.113.0/25"), 1h, "abuse", first.now);

  World second(growing());
  second.now = first.now + 1s;
  Reborn::move(first, journal, second);
  const auto locks = second.engine->locks(second.now);
  ASSERT_THAT(locks, SizeIs(2));
  EXPECT_EQ(locks[0].subject, "user:alice");
  EXPECT_EQ(locks[0].until, first.now + 20min);
  EXPECT_EQ(locks[0].level, 2u);
  EXPECT_EQ(locks[1].reason, "abuse");
  EXPECT_TRUE(second.login({"x", "x", "203.0.113.5"}).refused());
  EXPECT_TRUE(second.login({"alice", "x", "10.3.0.1"}).refused());
  EXPECT_TRUE(second.login({"alice", "x", kHome}).familiar);
  EXPECT_THAT(second.login({"bob", "6", "10.2.0.2"}).settled.locks, SizeIs(1))
      << "the restart opened a window";
}

TEST(Restore, StoresNothingMadeOfAPassword) {
  List journal;
  World first(growing(), {}, &journal);
  for (const char* user : {"a", "b"}) (void)first.login({user, "summer", "10.0.0.1"});
  EXPECT_THAT(first.engine->locks(first.now), SizeIs(1)) << "the password is locked";
  World second(growing(), {}, nullptr, 2);
  second.now = first.now;
  Reborn::move(first, journal, second);
  EXPECT_THAT(second.engine->locks(second.now), IsEmpty());
  // Its own process, its own key: the same password is another one, and its counters have no key.
  EXPECT_TRUE(second.login({"c", "summer", "10.0.0.2"}).wrong());
  const auto states = second.engine->explain(*Subject::parse("ip:10.0.0.1"), second.now).rules;
  ASSERT_THAT(states, SizeIs(1));
  EXPECT_EQ(states[0].counted, 1u) << "how many passwords is kept, which they are is not";
}

TEST(Restore, AClockThatWentBackMakesNoLockLonger) {
  List journal;
  World first(growing(), {}, &journal);
  for (const char* guess : {"1", "2"}) (void)first.login({"alice", guess, "10.0.0.1"});
  for (const Duration back : {Duration(1h), Duration(24h * 365)}) {
    World second(growing());
    second.now = first.now - back;
    for (const Change& change : journal.changes()) second.engine->restore(change, second.now);
    ASSERT_THAT(second.engine->locks(second.now), SizeIs(1));
    EXPECT_EQ(second.engine->locks(second.now)[0].until, second.now + 10min);
  }
}

TEST(Restore, AClockThatStepsBackWhileRunningMakesNoLockLonger) {
  World world(growing());
  for (const char* guess : {"1", "2"}) (void)world.login({"alice", guess, "10.0.0.1"});
  (void)world.engine->add_lock(*Subject::parse("user:bob"), 10min, "", world.now);
  world.now -= 24h;
  EXPECT_TRUE(world.login({"bob", "1", "10.0.0.2"}).refused());
  EXPECT_TRUE(world.login({"alice", "3", "10.0.0.1"}).refused());
  EXPECT_EQ(world.engine->locks(world.now).at(0).until, world.now + 10min);
  world.now += 10min;
  EXPECT_TRUE(world.login({"alice", "4", "10.0.0.1"}).wrong());
  EXPECT_TRUE(world.login({"bob", "2", "10.0.0.2"}).wrong());
}

TEST(Restore, IgnoresWhatIsOverUnknownOrDamaged) {
  List journal;
  World first(growing(), {}, &journal);
  for (const char* guess : {"1", "2"}) (void)first.login({"alice", guess, "10.0.0.1"});
  (void)first.login({"bob", "1", "10.0.0.1"});
  auto counters = first.engine->take_changed_counters();
  World later(growing());
  later.now = first.now + 48h;
  World other({rule("users", Count::kAttempts, By::kUser, 5, 1h, Then::kRefuse)});
  for (World* world : {&later, &other}) {
    for (const Change& change : journal.changes()) world->engine->restore(change, world->now);
    for (const CounterRecord& record : counters) world->engine->restore(record, world->now);
    EXPECT_EQ(world->engine->figures(world->now).subjects, 0u);
  }
  World same(growing());
  for (CounterRecord record : counters) {
    const std::string whole = record.bytes;
    for (size_t cut = 0; cut < whole.size(); ++cut) {
      record.bytes = whole.substr(0, cut);
      same.engine->restore(record, same.now);
    }
  }
  EXPECT_EQ(same.engine->figures(same.now).subjects, 0u);
}

TEST(Restore, TakesNoLockOrNetworkWhoseTimesAreDamaged) {
  List journal;
  World first(growing(), {}, &journal);
  first.know("alice", kHome);
  for (const char* guess : {"1", "2"}) (void)first.login({"alice", guess, "10.0.0.1"});
  for (const int64_t number : {INT64_MIN, int64_t{-1}, INT64_MAX}) {
    World second(growing());
    for (Change change : journal.changes()) {
      if (auto* const lock = std::get_if<LockRecord>(&change)) lock->lasts = Duration(number);
      if (auto* const known = std::get_if<FamiliarRecord>(&change))
        known->at = Time(std::chrono::microseconds(std::min<int64_t>(number, 0)));
      EXPECT_FALSE(second.engine->restore(change, second.now)) << number;
    }
    EXPECT_TRUE(second.engine->locks(second.now).empty()) << number;
  }
}

TEST(Restore, DurableStateIsWhatAJournalWouldHold) {
  List journal;
  World first(growing(), {}, &journal);
  first.know("alice", kHome);
  for (const char* guess : {"1", "2"}) (void)first.login({"alice", guess, "10.0.0.1"});
  World second(growing());
  second.now = first.now;
  for (const Change& change : first.engine->durable_state(first.now))
    second.engine->restore(change, second.now);
  EXPECT_THAT(second.engine->locks(second.now), SizeIs(1));
  EXPECT_TRUE(second.login({"alice", "x", kHome}).familiar);
}

TEST(Journal, NumbersWhatAnAnswerMustWaitFor) {
  List journal;
  World world(growing(), {}, &journal);
  world.account("alice", "right");
  EXPECT_EQ(world.login({"alice", "right", kHome}).settled.journalled, 1u) << "a new network";
  EXPECT_EQ(world.login({"alice", "right", kHome}).settled.journalled, 1u)
      << "known, and perhaps not on disk yet";
  EXPECT_EQ(world.login({"alice", "1", "10.0.0.1"}).settled.journalled, 0u) << "no lock yet";
  EXPECT_EQ(world.login({"alice", "2", "10.0.0.1"}).settled.journalled, 2u) << "a lock";
  world.now += 24h * 2;
  EXPECT_EQ(world.login({"alice", "right", kHome}).settled.journalled, 3u) << "due to be renewed";
}

// Many threads, one account and one address: the bound on wrong guesses is exact, and nothing is
// left behind. Run under the thread sanitizer, this also is the proof of the locking.
TEST(Threads, VerifyExactlyNWrongGuesses) {
  constexpr int kThreads = 8;
  constexpr int kGuesses = 300;
  std::vector<Rule> rules = *preset_rules(kDefaultPreset);
  World world(rules);
  for (int round = 0; round < 3; ++round) {
    const std::string user = "victim" + std::to_string(round);
    std::atomic<int> verified{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kGuesses; ++i) {
          const std::string rip = address(
              "10.0.0.0", static_cast<uint32_t>((round * kThreads + t) * kGuesses + i) * 4096);
          const std::string guess = std::to_string(t) + "/" + std::to_string(i);
          std::atomic<bool> woken{false};
          Decision decision;
          do {
            AttemptFacts facts{user, IpAddress::parse(rip), guess};
            woken = false;
            decision = world.engine->reserve(
                facts, world.now, [&woken] { return Waiter([&woken] { woken = true; }); });
            while (decision.verdict == Verdict::kWait && !woken) std::this_thread::yield();
          } while (decision.verdict == Verdict::kWait);
          if (decision.verdict != Verdict::kAllow) continue;
          ++verified;
          (void)world.engine->settle(std::move(decision.ticket), Outcome::kBadCredential,
                                     world.now);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(verified, static_cast<int>(rules[0].limit.events)) << user;
  }
  EXPECT_EQ(world.engine->figures(world.now).pending, 0u);
  EXPECT_EQ(world.engine->figures(world.now).waiting, 0u);
}

// Everything at once: attempts, administrators, reloads, sweeps, saving, eviction.
TEST(Threads, MayDoEverythingAtOnce) {
  List journal;
  World world(*preset_rules(kDefaultPreset), of(3000), &journal);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::string user = name((i * 7 + t) % 300);
        const std::string rip = address("10.0.0.0", static_cast<uint32_t>(i % 400 * 64));
        const std::string guess = std::to_string(i % 50);
        const AttemptFacts facts{user, IpAddress::parse(rip), guess};
        Decision decision = world.engine->reserve(facts, world.now, nullptr);
        if (decision.verdict != Verdict::kAllow) continue;
        if (i % 5 == 0) {
          const Decision account =
              world.engine->admit_account(decision.ticket, name(i % 20), world.now, nullptr);
          if (account.verdict != Verdict::kAllow) continue;
        }
        const Outcome outcome = static_cast<Outcome>(i % 4);
        (void)world.engine->settle(std::move(decision.ticket), outcome, world.now);
      }
    });
  }
  threads.emplace_back([&] {
    Settings settings = *world.engine->settings();
    for (int i = 0; !stop; ++i) {
      settings.rules[0].limit.events = 5 + static_cast<uint32_t>(i % 7);
      settings.rules.back().enabled = i % 2 == 0;
      settings.mode = i % 3 == 0 ? Mode::kObserve : Mode::kEnforce;
      world.engine->configure(settings, world.now);
      world.engine->sweep(world.now);
      (void)world.engine->take_changed_counters();
      (void)world.engine->durable_state(world.now);
    }
  });
  threads.emplace_back([&] {
    const Subject user = *Subject::parse("user:user7");
    const Subject network = *Subject::parse("network:10.0.0.0/20");
    while (!stop) {
      (void)world.engine->add_lock(user, 1h, "test", world.now);
      (void)world.engine->add_lock(network, 1h, "test", world.now);
      (void)world.engine->explain(user, world.now);
      (void)world.engine->locks(world.now);
      (void)world.engine->figures(world.now);
      (void)world.engine->clear(network, world.now);
      (void)world.engine->clear(user, world.now);
    }
  });
  for (size_t i = 0; i < 4; ++i) threads[i].join();
  stop = true;
  for (size_t i = 4; i < threads.size(); ++i) threads[i].join();
  const Figures figures = world.engine->figures(world.now);
  EXPECT_EQ(figures.pending, 0u);
  EXPECT_EQ(figures.waiting, 0u);
  EXPECT_LE(figures.subjects, 3000u);
  (void)world.engine->clear_all(world.now);
  world.now += 24h * 100;
  for (int i = 0; i < 64; ++i) world.engine->sweep(world.now);
  EXPECT_EQ(world.engine->figures(world.now).subjects, 0u) << "the bookkeeping of units drifts";
}

}  // namespace
}  // namespace saslatch::policy
