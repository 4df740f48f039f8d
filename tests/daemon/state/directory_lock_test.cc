#include "daemon/state/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

namespace saslatch::state {
namespace {

using ::testing::HasSubstr;

class DirectoryLockTest : public ::testing::Test {
 protected:
  DirectoryLockTest() : directory_(::testing::TempDir() + "lock.XXXXXX") {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
  }
  ~DirectoryLockTest() override { std::filesystem::remove_all(directory_); }

  std::optional<DirectoryLock::Failure> failure() {
    const auto lock = DirectoryLock::claim(directory_);
    if (lock) return std::nullopt;
    return lock.error().failure;
  }

  std::string directory_;
};

TEST_F(DirectoryLockTest, IsHeldUntilItIsDestroyed) {
  {
    auto first = DirectoryLock::claim(directory_);
    ASSERT_TRUE(first);
    const DirectoryLock moved = std::move(*first);
    EXPECT_EQ(failure(), DirectoryLock::Failure::kHeld);
  }
  EXPECT_EQ(failure(), std::nullopt);
}

TEST_F(DirectoryLockTest, SaysWhatIsHeld) {
  const auto first = DirectoryLock::claim(directory_);
  const auto second = DirectoryLock::claim(directory_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr(directory_));
}

TEST_F(DirectoryLockTest, LeavesNothingBehindAndNeedsNoRightToWrite) {
  chmod(directory_.c_str(), 0500);
  { EXPECT_TRUE(DirectoryLock::claim(directory_)); }
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(DirectoryLockTest, EndsWithItsProcess) {
  const pid_t child = fork();
  if (child == 0) {
    // No destructor runs: as with kill -9.
    _exit(DirectoryLock::claim(directory_) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(failure(), std::nullopt);
}

TEST_F(DirectoryLockTest, TellsAMissingDirectoryFromAHeldOne) {
  std::filesystem::remove_all(directory_);
  EXPECT_EQ(failure(), DirectoryLock::Failure::kNoAccess);
}

}  // namespace
}  // namespace saslatch::state
