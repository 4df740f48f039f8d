#include "daemon/state/store.h"

#include <signal.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/daemon/state/state_test_kit.h"

namespace saslatch::state {
namespace {

using policy::Outcome;

TEST(Store, BringsEverythingBackAfterARestart) {
  const Folder folder;
  {
    Life life(folder.path());
    (void)life.login("alice", "right", "192.0.2.1", Outcome::kSuccess);
    for (const char* guess : {"1", "2", "3"}) EXPECT_TRUE(life.fail("alice", guess));
    for (const char* guess : {"1", "2"}) EXPECT_TRUE(life.fail("bob", guess));
    const uint64_t number = life.engine().add_lock(*policy::Subject::parse("network:10.0.0.0/8"),
                                                   1h, "abuse", life.now);
    life.store().wait_flushed(number);
    EXPECT_TRUE(life.store().health().is_writable);
  }
  Life life(folder.path(), kStart + 1min);
  EXPECT_EQ(life.engine().locks(life.now).size(), 2u);
  EXPECT_FALSE(life.fail("alice", "4"));
  EXPECT_TRUE(life.is_familiar("alice", "192.0.2.77"));
  EXPECT_TRUE(life.fail("bob", "3"));
  EXPECT_FALSE(life.fail("bob", "4")) << "two failures were forgotten";
  EXPECT_FALSE(life.login("carol", "x", "10.1.2.3", Outcome::kBadCredential));
}

// Their fingerprints are keyed with a key of the process, which is gone with it.
TEST(Store, KnowsNoWrongPasswordAgainAfterARestart) {
  const Folder folder;
  {
    Life life(folder.path());
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(life.fail("alice", "1")) << "counts once";
  }
  Life life(folder.path());
  EXPECT_TRUE(life.fail("alice", "1"));
  EXPECT_TRUE(life.fail("alice", "2"));
  EXPECT_FALSE(life.fail("alice", "3")) << "1 was not counted again: it was remembered";
}

TEST(Store, KeepsTheLevelsOfEndedLocks) {
  const Folder folder;
  for (uint32_t level = 1; level <= 4; ++level) {
    Life life(folder.path(), kStart + level * 3h);
    policy::Settled settled;
    for (int i = 0; i < 3; ++i)
      (void)life.login("alice", std::to_string(level * 10 + i), "198.51.100.1",
                       Outcome::kBadCredential, &settled);
    ASSERT_EQ(settled.locks.size(), 1u);
    EXPECT_EQ(settled.locks[0].level, level);
  }
}

TEST(Store, ForgetsWhatWasClearedAndWhatHasExpired) {
  const Folder folder;
  {
    Life life(folder.path());
    for (const char* user : {"alice", "bob"})
      for (const char* guess : {"1", "2", "3"}) (void)life.fail(user, guess);
    (void)life.engine().clear(*policy::Subject::parse("user:alice"), life.now);
    (void)life.fail("carol", "1");
  }
  {
    Life life(folder.path(), kStart + 1min);
    EXPECT_EQ(life.engine().locks(life.now).size(), 1u);
  }
  {
    Life life(folder.path(), kStart + 72h);
    EXPECT_EQ(life.engine().figures(life.now).subjects, 0u);
  }
  auto file = StateFile::open(folder.file());
  EXPECT_FALSE((*file)->load(
      [](const policy::Change&) {
        ADD_FAILURE() << "an expired lock is still in the file";
        return true;
      },
      [](const policy::CounterRecord&) {
        ADD_FAILURE() << "an expired counter is still in the file";
        return true;
      }));
}

TEST(Store, StartsANewFileWhereTheOldOneIsDamaged) {
  const Folder folder;
  std::ofstream(folder.file()) << std::string(20'000, '?');
  {
    Life life(folder.path());
    EXPECT_EQ(life.log.count("state-damaged"), 1u);
    EXPECT_TRUE(life.store().health().is_writable);
    for (const char* guess : {"1", "2", "3"}) (void)life.fail("alice", guess);
  }
  EXPECT_EQ(folder.count("damaged"), 1u);
  Life life(folder.path());
  EXPECT_FALSE(life.fail("alice", "4"));
}

TEST(Store, WritesAllOfItAnewWhenTheFileIsDamagedMeanwhile) {
  const Folder folder;
  {
    Life life(folder.path());
    for (const char* guess : {"1", "2", "3"}) (void)life.fail("alice", guess);
    (void)life.fail("bob", "1");
    // Over the write-ahead log's head too, so that the next transaction meets it.
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::fstream file(folder.file() + suffix, std::ios::in | std::ios::out | std::ios::binary);
      file << std::string(40'000, '?');
    }
    life.store().wait_flushed(life.store().append(policy::LockCleared{1}));
    for (const char* guess : {"1", "2", "3"}) (void)life.fail("carol", guess);
  }
  Life life(folder.path());
  EXPECT_FALSE(life.fail("alice", "4"));
  EXPECT_FALSE(life.fail("carol", "4"));
  EXPECT_TRUE(life.fail("bob", "2"));
  EXPECT_TRUE(life.fail("bob", "3"));
  EXPECT_FALSE(life.fail("bob", "4")) << "bob's first failure was not saved again";
}

// As a failing disk does it: no statement fails, since SQLite has the pages in its cache.
TEST(Store, LeavesAWholeFileBehindWhenTheOldOneWasDamagedBeneathIt) {
  const Folder folder;
  {
    Life life(folder.path());
    for (const char* guess : {"1", "2", "3"}) (void)life.fail("alice", guess);
    (void)life.fail("bob", "1");
  }
  {
    Life life(folder.path());
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096) << std::string(std::filesystem::file_size(folder.file()) - 4096, '?');
    file.close();
    for (const char* guess : {"1", "2", "3"}) (void)life.fail("carol", guess);
  }
  EXPECT_EQ(folder.count("damaged"), 1u);
  Life life(folder.path());
  EXPECT_FALSE(life.fail("alice", "4"));
  EXPECT_FALSE(life.fail("carol", "4"));
  EXPECT_TRUE(life.fail("bob", "2"));
  EXPECT_TRUE(life.fail("bob", "3"));
  EXPECT_FALSE(life.fail("bob", "4")) << "bob's first failure was not saved again";
}

TEST(Store, LoginsGoOnWithoutAnyFile) {
  Life life("/nonexistent/saslatch");
  EXPECT_FALSE(life.store().health().is_writable);
  EXPECT_NE(life.store().health().reason.find("No such file"), std::string::npos);
  for (const char* guess : {"1", "2", "3"}) EXPECT_TRUE(life.fail("alice", guess));
  EXPECT_FALSE(life.fail("alice", "4"));
  EXPECT_EQ(life.log.count("state-unwritable"), 1u) << "once a minute";
}

// A file size limit is a full disk for one process; without its signal, writing just fails.
TEST(Store, AFullDiskStopsNoLoginAndIsCaughtUpWith) {
  const Folder folder;
  struct rlimit whole {};
  getrlimit(RLIMIT_FSIZE, &whole);
  const auto signal_before = signal(SIGXFSZ, SIG_IGN);
  {
    Life life(folder.path());
    (void)life.fail("alice", "0");
    life.store().wait_flushed(life.store().append(policy::LockCleared{1}));
    struct rlimit full = whole;
    full.rlim_cur = 1;
    setrlimit(RLIMIT_FSIZE, &full);
    for (const char* guess : {"1", "2", "3"}) (void)life.fail("alice", guess);
    EXPECT_FALSE(life.fail("alice", "4"));
    EXPECT_FALSE(life.store().health().is_writable);
    EXPECT_GE(life.store().health().unsaved, 1u);
    setrlimit(RLIMIT_FSIZE, &whole);
    life.log.wait_for("state-writable");
    EXPECT_TRUE(life.store().health().is_writable);
    EXPECT_EQ(life.store().health().unsaved, 0u);
  }
  signal(SIGXFSZ, signal_before);
  Life life(folder.path());
  EXPECT_FALSE(life.fail("alice", "5"));
}

TEST(Store, WhoAsksAfterTheEndIsNotLeftWaiting) {
  const Folder folder;
  Life life(folder.path());
  life.store().stop();
  bool called = false;
  life.store().when_flushed(life.store().append(policy::LocksCleared{}), [&] { called = true; });
  EXPECT_TRUE(called);
  life.store().wait_flushed(UINT64_MAX);
}

TEST(Store, ManyWaitForOneTransaction) {
  const Folder folder;
  Life life(folder.path());
  std::atomic<int> called{0};
  uint64_t last = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    last = life.store().append(policy::FamiliarRecord{i, std::nullopt, kStart});
    life.store().when_flushed(last, [&] { ++called; });
  }
  EXPECT_EQ(life.store().appended(), last);
  life.store().wait_flushed(last);
  EXPECT_EQ(called, 5000);
}

}  // namespace
}  // namespace saslatch::state
