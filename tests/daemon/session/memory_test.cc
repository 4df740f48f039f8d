// Memory ends while an attempt is decided on another thread: it is answered all the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "daemon/session/dovecot_session.h"
#include "protocol/base/base64.h"
#include "tests/daemon/session/world.h"
#include "tests/lack_of_memory.h"

namespace saslatch::testing {
namespace {

// An attempt, and what the world is like.
struct Story {
  const char* name;
  const char* user;
  const char* password;
  int failures_before = 0;
  bool disk_hangs = false;
  bool overload = false;
  bool disk_returns = false;  // while there is no memory
};

constexpr Story kStories[] = {
    {"a right password", "alice", "secret"},
    {"a slow hash", "bob", "secret"},
    {"a wrong password", "alice", "a wrong password that needs memory"},
    {"an unknown user", "somebody.with.a.name.that.needs.memory", "secret"},
    {"another account's name", "ally", "secret"},
    {"another name of an account that is locked", "ally", "secret", 3},
    {"the guess that locks", "alice", "wrong", 2},
    {"the guess that locks, and the disk hangs", "alice", "wrong", 2, true},
    {"the guess that locks, and the disk works again", "alice", "wrong", 2, true, false, true},
    {"one that finds no place", "alice", "secret", 0, false, true},
};

class OneSession {
 public:
  OneSession() : world(three_failures_a_minute()) {
    world.passdb->add("alice", "{PLAIN}secret");
    world.passdb->add(
        "bob",  // secret
        "{SHA512-CRYPT}$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLa"
        "hp2EHPlAKmFFlrjEwSXGo2kgY5hR2.peKEg2VGUqIJJu1");
    world.passdb->add_alias("ally", "alice");
    world.passdb->set_blocks(true);
    session = world.make<DovecotSession>(box, "replying");
    (void)session->take_output();
    session->receive("VERSION\t1\t2\nCPID\t99\n", world.now);
  }

  void authenticate(const std::string& user, const std::string& password) {
    ++id;
    const std::string response = std::string(1, '\0') + user + '\0' + password;
    session->receive("AUTH\t" + std::to_string(id) +
                         "\tPLAIN\tservice=smtp\tsecured\trip=192.0.2." + std::to_string(id) +
                         "\tresp=" + base64_encode(response) + "\n",
                     world.now);
  }

  // Up to max-hold, deadline by deadline.
  std::string wait() {
    const Mono end = world.now.mono + world.settings->max_hold;
    std::string answers = session->take_output();
    while (world.now.mono < end) {
      const Mono next = std::clamp(session->next_deadline().value_or(end), world.now.mono, end);
      world.advance(std::chrono::ceil<std::chrono::milliseconds>(next - world.now.mono));
      session->on_deadline(world.now);
      box->empty_into(world.now);
      answers += session->take_output();
    }
    return answers;
  }

  World world;
  std::shared_ptr<LetterBox> box = std::make_shared<LetterBox>();
  std::unique_ptr<DovecotSession> session;
  int id = 0;
};

class LackOfMemoryForAnAttempt : public ::testing::TestWithParam<size_t> {};

INSTANTIATE_TEST_SUITE_P(OnceAndForGood, LackOfMemoryForAnAttempt,
                         ::testing::Values(size_t{1}, SIZE_MAX));

TEST_P(LackOfMemoryForAnAttempt, IsAnsweredInsideMaxHold) {
  for (const Story& story : kStories) {
    for (size_t spared = 0;; ++spared) {
      SCOPED_TRACE(std::string(story.name) + ", " + std::to_string(spared) + " allocations");
      ASSERT_LT(spared, 500u);
      OneSession one;
      for (int i = 0; i < story.failures_before; ++i) {
        one.authenticate("alice", "wrong " + std::to_string(i));
        one.world.workers.run_all();
        one.box->empty_into(one.world.now);
        ASSERT_NE(one.wait().find("FAIL"), std::string::npos);
      }
      one.world.audited.clear();
      one.world.set_disk_hangs(story.disk_hangs);
      one.authenticate(story.user, story.password);
      ASSERT_EQ(one.session->take_output(), "");
      bool is_done = false;
      {
        const LackOfMemory lack(spared, GetParam());
        while ((story.overload ? one.world.workers.overload_all() : one.world.workers.run_all()) >
               0) {
        }
        if (story.disk_returns) one.world.set_disk_hangs(false);
        is_done = lack.failed() == 0;
      }
      one.box->empty_into(one.world.now);
      one.world.workers.run_all();  // what a retry has found to do
      one.box->empty_into(one.world.now);
      const std::string answer = one.wait();
      EXPECT_EQ(std::count(answer.begin(), answer.end(), '\n'), 1) << answer;
      EXPECT_TRUE(answer.find("FAIL") == 0 || answer.find("OK") == 0) << answer;
      EXPECT_EQ(std::count_if(one.world.audited.begin(), one.world.audited.end(),
                              [](const std::string& event) { return event.find("lock ") != 0; }),
                1);
      EXPECT_EQ(one.world.engine.figures(one.world.now.policy).pending, 0u);
      one.world.set_disk_hangs(false);
      one.box->empty_into(one.world.now);
      EXPECT_EQ(one.wait(), "") << "answered twice";
      if (is_done) break;
      // What was lost is nobody's fault, and the session goes on.
      one.authenticate("bob", "secret");
      one.world.workers.run_all();
      one.world.workers.run_all();
      one.box->empty_into(one.world.now);
      EXPECT_EQ(one.wait().find("OK\t" + std::to_string(one.id)), 0u);
    }
  }
}

// The line in front of the workers: who finds no memory for a place takes nobody's.
TEST_P(LackOfMemoryForAnAttempt, TakesNoPlaceInTheQueueOfChecks) {
  struct Nothing final : QueuedCheck {
    using QueuedCheck::QueuedCheck;
    void run() override {}
    void overload() override {}
  };
  for (size_t spared = 0;; ++spared) {
    SCOPED_TRACE(spared);
    CheckQueue queue(1, std::chrono::milliseconds(40));
    const size_t share = queue.places() / 2;
    bool is_done = false;
    size_t taken = 0;
    {
      auto check = std::make_unique<Nothing>(false, 7, Mono{});
      const LackOfMemory lack(spared, GetParam());
      try {
        taken += queue.push(std::move(check)) == nullptr ? 1 : 0;
      } catch (const std::bad_alloc&) {
      }
      is_done = lack.failed() == 0;
    }
    EXPECT_EQ(queue.size(), taken);
    while (queue.push(std::make_unique<Nothing>(false, 7, Mono{})) == nullptr) ++taken;
    EXPECT_EQ(taken, share) << "all of the connection's share";
    while (queue.pop() != nullptr) --taken;
    EXPECT_EQ(taken, 0u);
    if (is_done) break;
  }
}

}  // namespace
}  // namespace saslatch::testing
