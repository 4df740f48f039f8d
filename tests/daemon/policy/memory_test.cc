// Memory ends in the middle of an attempt: nothing stays behind of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <sstream>

#include "tests/daemon/policy/engine_test_kit.h"
#include "tests/lack_of_memory.h"

namespace saslatch::policy {
namespace {

using saslatch::testing::LackOfMemory;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// One allocation that fails, and memory that stays away.
constexpr size_t kOnce = 1;
constexpr size_t kFromThenOn = SIZE_MAX;

// A journal that may lack memory itself, as a queue does.
class Queue final : public Journal {
 public:
  uint64_t append(const Change& change) override {
    changes.push_back(change);
    return ++number;
  }
  uint64_t append_unsaid() override {
    ++unsaid;
    return ++number;
  }
  std::vector<Change> changes;
  uint64_t number = 0;
  size_t unsaid = 0;
};

// All that an administrator can see of these subjects, and what is reserved.
std::string seen(const World& world, const std::vector<std::string>& subjects) {
  std::ostringstream out;
  const Figures figures = world.engine->figures(world.now);
  out << figures.subjects << " subjects, " << figures.counters << " counters, " << figures.locks
      << " locks, " << figures.familiar << " familiar, " << figures.remembered_passwords
      << " remembered, " << figures.pending << " pending, " << figures.waiting << " waiting\n";
  for (const std::string& text : subjects) {
    const Explanation known = world.engine->explain(*Subject::parse(text), world.now);
    out << text << ": " << known.locks.size() << " locks, " << known.familiar.size()
        << " familiar, " << known.attempts.size() << " attempts\n";
    for (const RuleState& state : known.rules)
      out << "  " << state.rule << ' ' << state.subject << ' ' << state.counted << '+'
          << state.pending << '\n';
  }
  return out.str();
}

const std::vector<std::string> kSubjects = {"user:alice", "user:bob", "ip:198.51.100.1",
                                            "ip:192.0.2.1"};

std::vector<Rule> every_kind() {
  return {guess_account(3),
          rule("rate", Count::kAttempts, By::kUser, 5, 10min, Then::kRefuse),
          rule("pair", kFailures, By::kUserNetwork, 4, 10min, Then::kLock, 1min),
          rule("place", kFailures, By::kIp, 6, 10min, Then::kLock, 1min),
          rule("slow", kFailures, By::kNetwork, 2, 10min, Then::kDelay, 2s),
          rule("names", Count::kDistinctUsers, By::kIp, 4, 10min, Then::kLock, 1min),
          rule("spray", Count::kDistinctUsers, By::kPassword, 4, 10min, Then::kLock, 1min),
          rule("words", Count::kDistinctPasswords, By::kUser, 4, 10min, Then::kLock, 1min)};
}

// What has happened before, and what is tried while memory ends.
struct Story {
  const char* name;
  std::function<void(World&, std::vector<Ticket>&)> before;
  std::function<Verdict(World&)> attempt;
};

Ticket reserved(World& world, const Login& login) {
  Decision decision = world.reserve(login);
  EXPECT_EQ(decision.verdict, Verdict::kAllow);
  return std::move(decision.ticket);
}

const Login kGuess{"alice", "summer", kElsewhere};

Verdict guess_again(World& world) { return world.reserve(kGuess).verdict; }

const Story kStories[] = {
    {"the first of all", [](World&, auto&) {}, guess_again},
    {"beside others that are being verified",
     [](World& world, auto& tickets) {
       tickets.push_back(reserved(world, {"alice", "autumn", kElsewhere}));
       tickets.push_back(reserved(world, {"bob", "summer", kElsewhere}));
       tickets.push_back(reserved(world, kGuess));
     },
     guess_again},
    {"one that has to wait",
     [](World& world, auto& tickets) {
       for (const char* word : {"1", "2", "3"})
         tickets.push_back(reserved(world, {"alice", word, kHome}));
     },
     guess_again},
    {"one that meets a lock",
     [](World& world, auto&) {
       for (const char* word : {"1", "2", "3"}) (void)world.login({"alice", word, kHome});
     },
     guess_again},
    {"one that meets a rate",
     [](World& world, auto&) {
       for (int i = 0; i < 5; ++i) world.know("alice", kElsewhere);
     },
     guess_again},
    {"a name that stands for an account",
     [](World& world, auto& tickets) {
       for (const char* word : {"1", "2"})
         tickets.push_back(reserved(world, {"alice", word, kHome}));
     },
     [](World& world) {
       Ticket ticket = reserved(world, {"bob", "summer", kElsewhere});
       return world.engine->admit_account(ticket, "alice", world.now, nullptr).verdict;
     }},
};

class LackOfMemoryTest : public EngineTest,
                         public ::testing::WithParamInterface<std::tuple<Mode, size_t>> {
 protected:
  Mode mode() const { return std::get<0>(GetParam()); }
  size_t many() const { return std::get<1>(GetParam()); }
  Settings settings() const {
    Settings settings;
    settings.mode = mode();
    return settings;
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, LackOfMemoryTest,
                         ::testing::Combine(::testing::Values(Mode::kEnforce, Mode::kObserve),
                                            ::testing::Values(kOnce, kFromThenOn)));

TEST_P(LackOfMemoryTest, ReservesAllOrNothing) {
  for (const Story& story : kStories) {
    for (size_t spared = 0;; ++spared) {
      SCOPED_TRACE(std::string(story.name) + ", " + std::to_string(spared) + " allocations");
      ASSERT_LT(spared, 500u);
      start(every_kind(), settings());
      std::vector<Ticket> tickets;
      story.before(world(), tickets);
      const std::string before = seen(world(), kSubjects);
      bool is_done = false;
      {
        const LackOfMemory lack(spared, many());
        try {
          (void)story.attempt(world());
        } catch (const std::bad_alloc&) {
        }
        is_done = lack.failed() == 0;
      }
      if (is_done) break;
      // The attempt's own ticket is gone by now, so that nothing else than history may differ.
      const std::string after = seen(world(), kSubjects);
      const auto without_history = [](std::string text) {
        std::string kept;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);)
          kept += line.substr(0, line.find(" familiar, ")) + '\n';
        return kept;
      };
      ASSERT_EQ(without_history(after), without_history(before));
      tickets.clear();
      EXPECT_EQ(world().engine->figures(world().now).pending, 0u);
    }
  }
}

TEST_P(LackOfMemoryTest, LeavesTheNextOneAllOfItsLimit) {
  if (mode() == Mode::kObserve) return;  // refuses nobody
  for (size_t spared = 0;; ++spared) {
    SCOPED_TRACE(std::to_string(spared) + " allocations");
    start({guess_account(3), rule("pair", kFailures, By::kUserNetwork, 3, 10min, Then::kLock, 1min),
           rule("place", kFailures, By::kIp, 3, 10min, Then::kLock, 1min)});
    bool is_done = false;
    {
      const LackOfMemory lack(spared, many());
      try {
        (void)world().reserve(kGuess);
      } catch (const std::bad_alloc&) {
      }
      is_done = lack.failed() == 0;
    }
    if (is_done) break;
    EXPECT_EQ(guesses_let_through([] { return guess("alice"); }), 3u);
  }
}

// What becomes of a verified attempt when memory ends while it is written down.
TEST_P(LackOfMemoryTest, SettlesOnceAndLeavesNothingReserved) {
  for (const Outcome outcome :
       {Outcome::kSuccess, Outcome::kBadCredential, Outcome::kUnknownUser, Outcome::kOurTrouble}) {
    for (const int guessed_before : {0, 1, 2}) {
      for (size_t spared = 0;; ++spared) {
        SCOPED_TRACE(std::to_string(static_cast<int>(outcome)) + " after " +
                     std::to_string(guessed_before) + ", " + std::to_string(spared) +
                     " allocations");
        ASSERT_LT(spared, 500u);
        Queue journal;
        World world(every_kind(), settings(), &journal);
        for (int i = 0; i < guessed_before; ++i) (void)world.login(guess("alice"));
        Ticket ticket = reserved(world, kGuess);
        // The same guess shares the reservation, another one does not.
        Ticket same = reserved(world, kGuess);
        Ticket other = reserved(world, {"bob", "winter", kElsewhere});
        const auto pending = [&world](std::string_view rule) {
          uint32_t count = 0;
          for (const RuleState& state :
               world.engine->explain(*Subject::parse("user:alice"), world.now).rules)
            if (state.rule == rule) count += state.pending;
          return count;
        };
        ASSERT_EQ(pending("guess-account"), 1u);
        Settled settled;
        bool is_done = false;
        {
          const LackOfMemory lack(spared, many());
          settled = world.engine->settle(std::move(ticket), outcome, world.now);
          is_done = lack.failed() == 0;
        }
        if (is_done) {
          EXPECT_FALSE(settled.is_short);
          break;
        }
        EXPECT_EQ(pending("guess-account"), 1u) << "the other holder's";
        uint32_t most = 0;
        const bool failed = outcome == Outcome::kBadCredential || outcome == Outcome::kUnknownUser;
        for (const RuleState& state :
             world.engine->explain(*Subject::parse("user:alice"), world.now).rules) {
          most = std::max(most, state.counted);
          auto expected = static_cast<uint32_t>(guessed_before + (failed ? 1 : 0));
          if (outcome == Outcome::kSuccess) expected = 0;  // given back
          if (state.rule != "guess-account") continue;
          if (state.counted == expected || settled.is_short) continue;
          EXPECT_TRUE(state.counted == 0 && expected == 3) << state.counted;  // it is locked
          EXPECT_TRUE(mode() == Mode::kObserve || state.until.has_value());
        }
        EXPECT_LE(most, static_cast<uint32_t>(guessed_before + 1)) << "counted twice";
        // A lock is never told of as being on disk when nobody has told the disk.
        const auto locks = world.engine->locks(world.now);
        if (!locks.empty()) {
          EXPECT_GT(settled.journalled, 0u);
        }
        const auto is_lock = [](const Change& change) {
          return std::holds_alternative<LockRecord>(change);
        };
        const auto written = static_cast<size_t>(
            std::count_if(journal.changes.begin(), journal.changes.end(), is_lock));
        EXPECT_TRUE(written == locks.size() || journal.unsaid > 0);

        (void)world.engine->settle(std::move(same), Outcome::kBadCredential, world.now);
        (void)world.engine->settle(std::move(other), Outcome::kSuccess, world.now);
        EXPECT_EQ(world.engine->figures(world.now).pending, 0u);
        EXPECT_EQ(world.engine->figures(world.now).waiting, 0u);
        // Everything can still be walked, swept and evicted, and its weight is known.
        (void)world.engine->take_changed_counters();
        Settings small = *world.engine->settings();
        small.max_subjects = 1;
        world.engine->configure(small, world.now);
        (void)world.engine->clear_all(world.now);
        world.now += 24h * 100;
        for (int i = 0; i < 64; ++i) world.engine->sweep(world.now);
        EXPECT_EQ(world.engine->figures(world.now).subjects, 0u) << "bookkeeping drifts";
      }
    }
  }
}

// A counter that could not be noted as changed is saved all the same, with all the others.
TEST_P(LackOfMemoryTest, ForgetsNoChangeOfACounter) {
  for (size_t spared = 0;; ++spared) {
    SCOPED_TRACE(std::to_string(spared) + " allocations");
    Queue journal;
    World world({guess_account(3)}, settings(), &journal);
    Ticket ticket = reserved(world, kGuess);
    bool is_done = false;
    Settled settled;
    {
      const LackOfMemory lack(spared, many());
      settled = world.engine->settle(std::move(ticket), Outcome::kBadCredential, world.now);
      is_done = lack.failed() == 0;
    }
    if (is_done) break;
    if (settled.is_short) continue;  // it was not counted, and the answer says nothing
    if (journal.unsaid > 0) world.engine->touch_counters();  // what the state's writer does then
    EXPECT_THAT(world.engine->take_changed_counters(), SizeIs(1));
  }
}

TEST_P(LackOfMemoryTest, WakesWhoWaitsWithoutAnyMemory) {
  if (mode() == Mode::kObserve) return;  // nobody waits
  start({guess_account(2)});
  std::vector<Ticket> tickets;
  for (const char* word : {"1", "2"}) tickets.push_back(reserved(world(), {"alice", word, kHome}));
  int woken = 0;
  for (const char* word : {"3", "4", "5"}) {
    const Decision waits = world().reserve({"alice", word, kHome}, [&woken] { ++woken; });
    ASSERT_EQ(waits.verdict, Verdict::kWait);
  }
  {
    const LackOfMemory lack(0);
    tickets.clear();
  }
  EXPECT_EQ(woken, 3);
  EXPECT_EQ(world().engine->figures(world().now).waiting, 0u);
  EXPECT_EQ(world().engine->figures(world().now).pending, 0u);
}

TEST_P(LackOfMemoryTest, LetsAnAdministratorTryAgain) {
  if (mode() == Mode::kObserve) return;  // refuses nobody
  for (size_t spared = 0;; ++spared) {
    SCOPED_TRACE(std::to_string(spared) + " allocations");
    Queue journal;
    World world(every_kind(), settings(), &journal);
    const Subject subject = *Subject::parse("user:alice-with-a-name-that-needs-memory");
    bool is_done = false;
    bool has_lock = false;
    {
      const LackOfMemory lack(spared, many());
      try {
        (void)world.engine->add_lock(subject, 1h, "a reason that needs memory, too", world.now);
        has_lock = true;
      } catch (const std::bad_alloc&) {
      }
      is_done = lack.failed() == 0;
    }
    EXPECT_THAT(world.engine->locks(world.now), SizeIs(has_lock ? 1 : 0));
    EXPECT_EQ(world.login({"alice-with-a-name-that-needs-memory", "x", kHome}).refused(), has_lock);
    EXPECT_TRUE(!has_lock || !journal.changes.empty() || journal.unsaid > 0);
    (void)world.engine->clear(subject, world.now);
    EXPECT_THAT(world.engine->locks(world.now), IsEmpty());
    EXPECT_FALSE(world.login({"alice-with-a-name-that-needs-memory", "x", kHome}).refused());
    if (is_done) break;
  }
}

}  // namespace
}  // namespace saslatch::policy
