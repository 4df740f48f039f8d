// kill -9 in the middle of an attack, twenty times: what was answered with holds.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <random>

#include "tests/daemon/state/state_test_kit.h"

namespace saslatch::state {
namespace {

struct Answered {
  int64_t now;
  int64_t until;
  uint32_t level;
};

// Attacks until killed, and tells each lock only after what saslatchd waits for before it answers.
[[noreturn]] void attack(const std::string& directory, policy::Time start, int round, int out) {
  Life life(directory, start);
  FILE* const pipe = fdopen(out, "w");
  for (int i = 0;; ++i) {
    life.now = life.now.load() + 1s;
    const std::string user = "user" + std::to_string(i % 60);
    policy::Settled settled;
    const std::string guess = std::to_string(round) + "/" + std::to_string(i);
    if (!life.login(user, guess, "198.51.100.1", policy::Outcome::kBadCredential, &settled))
      continue;
    for (const policy::NewLock& lock : settled.locks) {
      std::fprintf(pipe, "%s %ld %ld %u\n", lock.subject.c_str(),
                   static_cast<long>(life.now.load().time_since_epoch().count()),
                   static_cast<long>(lock.until.time_since_epoch().count()), lock.level);
      std::fflush(pipe);
    }
  }
}

TEST(Survival, EveryAnsweredLockHoldsAfterKillNine) {
  const Folder folder;
  std::mt19937 random(9);
  std::map<std::string, Answered> answered;
  policy::Time now = kStart;
  for (int round = 0; round < 20; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      attack(folder.path(), now, round, ends[1]);
    }
    close(ends[1]);
    FILE* const lines = fdopen(ends[0], "r");
    char subject[64];
    long at = 0, until = 0;
    unsigned level = 0;
    const auto take = [&] {
      if (std::fscanf(lines, "%63s %ld %ld %u", subject, &at, &until, &level) != 4) return false;
      answered[subject] = {at, until, level};
      now = std::max(now, policy::Time(std::chrono::microseconds(at)));
      return true;
    };
    const int enough = std::uniform_int_distribution<>(1, 40)(random);
    for (int i = 0; i < enough; ++i) ASSERT_TRUE(take()) << "the attacker died by himself";
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (take()) {  // what was told before the end
    }
    std::fclose(lines);

    const Life life(folder.path(), now);
    std::map<std::string, policy::LockInfo> held;
    for (const auto& lock : const_cast<Life&>(life).engine().locks(now)) held[lock.subject] = lock;
    for (const auto& [who, lock] : answered) {
      const policy::Time end{std::chrono::microseconds(lock.until)};
      if (end <= now) continue;
      ASSERT_TRUE(held.contains(who)) << who << " was answered with in round " << round;
      EXPECT_GE(held[who].until, end);
      EXPECT_GE(held[who].level, lock.level);
    }
    EXPECT_EQ(life.log.count("state-damaged"), 0u);
    EXPECT_EQ(life.log.count("state-unwritable"), 0u);
  }
  EXPECT_GT(answered.size(), 20u);
}

}  // namespace
}  // namespace saslatch::state
