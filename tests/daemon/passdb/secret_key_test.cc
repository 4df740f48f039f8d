#include "daemon/passdb/secret_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "protocol/base/crypto/system_random.h"
#include "tests/daemon/passdb/scratch_dir.h"

namespace saslatch::passdb {
namespace {

using Kind = StoreError::Kind;
using ::testing::HasSubstr;

class SecretKey : public ::testing::Test {
 protected:
  ScratchDir dir_;
  SystemRandom random_;
};

TEST_F(SecretKey, IsMadeOnceWithMode0600) {
  const auto made = load_or_create_secret_key(dir_.path(), random_);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->size(), 32u);
  struct stat status {};
  ASSERT_EQ(stat(dir_.file("secret.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  const auto again = load_or_create_secret_key(dir_.path(), random_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->reveal(), made->reveal());
  EXPECT_EQ(load_secret_key(dir_.path())->reveal(), made->reveal());
}

TEST_F(SecretKey, BelongsToTheOwnerOfTheDirectoryWhenRootMakesIt) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  ASSERT_EQ(chown(dir_.path().c_str(), 65534, 65534), 0);
  ASSERT_TRUE(load_or_create_secret_key(dir_.path(), random_));
  struct stat status {};
  ASSERT_EQ(stat(dir_.file("secret.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534u);
  EXPECT_EQ(status.st_gid, 65534u);
}

TEST_F(SecretKey, IsTheSameForAllWhoMakeItAtOnce) {
  std::vector<std::string> keys(8);
  std::vector<std::thread> makers;
  for (std::string& key : keys) {
    makers.emplace_back([this, &key] {
      SystemRandom random;
      if (auto made = load_or_create_secret_key(dir_.path(), random)) key = made->reveal();
    });
  }
  for (std::thread& maker : makers) maker.join();
  for (const std::string& key : keys) {
    EXPECT_EQ(key.size(), 32u);
    EXPECT_EQ(key, keys[0]);
  }
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    ++files;
  }
  EXPECT_EQ(files, 1u) << "a temporary file was left";
}

TEST_F(SecretKey, IsRefusedWithTheMendWhereItIsNotAsItShouldBe) {
  EXPECT_EQ(load_secret_key(dir_.path()).error().kind, Kind::kCantCreate);

  dir_.write("secret.key", std::string(31, 'k'));
  chmod(dir_.file("secret.key").c_str(), 0600);
  EXPECT_EQ(load_secret_key(dir_.path()).error().kind, Kind::kBroken);

  dir_.write("secret.key", std::string(32, 'k'));
  EXPECT_TRUE(load_secret_key(dir_.path()));
  for (const mode_t mode : {0640, 0604, 0660}) {
    chmod(dir_.file("secret.key").c_str(), mode);
    const auto open = load_secret_key(dir_.path());
    ASSERT_FALSE(open);
    EXPECT_EQ(open.error().kind, Kind::kPermission);
    EXPECT_THAT(open.error().message, HasSubstr("chmod 600"));
  }

  std::filesystem::remove(dir_.file("secret.key"));
  std::filesystem::create_directory(dir_.file("secret.key"));
  EXPECT_FALSE(load_or_create_secret_key(dir_.path(), random_));
  EXPECT_FALSE(load_or_create_secret_key(dir_.file("missing"), random_));
}

}  // namespace
}  // namespace saslatch::passdb
