#include "daemon/state/directory_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/daemon/state/state_test_kit.h"

namespace saslatch::state {
namespace {

using Outcome = DirectoryLock::Outcome;

TEST(DirectoryLock, IsHeldByOneOnly) {
  const Folder folder;
  {
    DirectoryLock first, second;
    ASSERT_EQ(first.acquire(folder.path()), Outcome::kHeld);
    ASSERT_EQ(second.acquire(folder.path()), Outcome::kTaken);
    EXPECT_NE(second.reason().find("another saslatchd uses " + folder.path()), std::string::npos);
  }
  DirectoryLock third;
  EXPECT_EQ(third.acquire(folder.path()), Outcome::kHeld);
}

TEST(DirectoryLock, GoesWithTheProcessThatHeldIt) {
  const Folder folder;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    DirectoryLock lock;
    const char held = lock.acquire(folder.path()) == Outcome::kHeld ? 'y' : 'n';
    if (write(ready[1], &held, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char held = 0;
  ASSERT_EQ(read(ready[0], &held, 1), 1);
  EXPECT_EQ(held, 'y');
  DirectoryLock lock;
  EXPECT_EQ(lock.acquire(folder.path()), Outcome::kTaken);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(lock.acquire(folder.path()), Outcome::kHeld);
  close(ready[0]);
  close(ready[1]);
}

TEST(DirectoryLock, OfWhatCannotBeOpenedIsImpossible) {
  const Folder folder;
  DirectoryLock lock;
  EXPECT_EQ(lock.acquire(folder.path() + "/none"), Outcome::kImpossible);
  EXPECT_NE(lock.reason().find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace saslatch::state
