// kill -9 while accounts are written: each account is whole or absent, and what was answered is
// there.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "daemon/passdb/embedded.h"
#include "daemon/passdb/user_store.h"
#include "protocol/base/crypto/system_random.h"
#include "tests/daemon/passdb/lookups.h"
#include "tests/daemon/passdb/scratch_dir.h"

namespace saslatch::passdb {
namespace {

// Runs `work` in a child, which calls its argument after each change that was answered; kills it
// after the `acknowledged`th.
void run_and_kill(int acknowledged, const std::function<void(std::function<void()>)>& work) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipe_ends[0]);
    work([&pipe_ends] {
      if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
    });
    _exit(0);
  }
  close(pipe_ends[1]);
  char byte = 0;
  int seen = 0;
  while (seen < acknowledged && read(pipe_ends[0], &byte, 1) == 1) ++seen;
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  close(pipe_ends[0]);
  EXPECT_EQ(seen, acknowledged) << "the child ended by itself";
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(UserStoreCrash, LeavesEachAccountWholeOrAbsent) {
  const ScratchDir dir;
  SystemRandom random;
  int expected = 0;
  for (int round = 0; round < 20; ++round) {
    const int acknowledged = 1 + round;
    run_and_kill(acknowledged, [&](const std::function<void()>& answered) {
      auto store = UserStore::open(dir.path(), random);
      if (!store) _exit(1);
      for (int i = 0; i < 10000; ++i) {
        const std::string name = "user-" + std::to_string(round) + "-" + std::to_string(i);
        if (!(*store)->add(name, {"pw", "CRAM-MD5", true}, {})) _exit(1);
        answered();
      }
    });
    expected += acknowledged;

    EmbeddedPassdb passdb("embedded", dir.path(), random);
    const auto names = listed(passdb, "*");
    ASSERT_GE(names.size(), static_cast<size_t>(expected)) << "an answered account is lost";
    for (const std::string& name : names) {
      ASSERT_TRUE(told(passdb, name).starts_with("{CRAM-MD5}")) << name << " is half";
    }
    expected = static_cast<int>(names.size());
    auto store = UserStore::open(dir.path(), random);
    ASSERT_TRUE(store) << store.error().message;
  }
}

TEST(UserStoreCrash, LeavesAnImportWholeOrAbsent) {
  constexpr size_t kBatch = 300;
  const ScratchDir dir;
  SystemRandom random;
  for (int round = 0; round < 5; ++round) {
    run_and_kill(1 + round, [&](const std::function<void()>& answered) {
      auto store = UserStore::open(dir.path(), random);
      if (!store) _exit(1);
      for (int batch = 0; batch < 1000; ++batch) {
        const std::string prefix = "b" + std::to_string(round) + "-" + std::to_string(batch);
        std::string text;
        for (size_t i = 0; i < kBatch; ++i) {
          text += prefix + "@" + std::to_string(i) + ":{PLAIN}pw\n";
        }
        if (!(*store)->import(text, {}, {})) _exit(1);
        answered();
      }
    });
    EmbeddedPassdb passdb("embedded", dir.path(), random);
    std::map<std::string, size_t> batches;
    for (const std::string& name : listed(passdb, "*")) ++batches[name.substr(0, name.find('@'))];
    EXPECT_GE(batches.size(), static_cast<size_t>(1 + round));
    for (const auto& [batch, size] : batches) EXPECT_EQ(size, kBatch) << batch;
  }
}

TEST(UserStoreCrash, StartsWhateverAKilledFirstStartLeft) {
  SystemRandom random;
  for (const char* left : {"", "users.db"}) {
    const ScratchDir dir;
    if (*left != '\0') dir.write(left, "");  // made, and killed before the first page
    EmbeddedPassdb passdb("embedded", dir.path(), random);
    EXPECT_TRUE(told(passdb, "alice").starts_with("down:"));
    EXPECT_TRUE(passdb.prepare());
    EXPECT_EQ(told(passdb, "alice"), "unknown");
  }
}

}  // namespace
}  // namespace saslatch::passdb
