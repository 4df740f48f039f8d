#include "daemon/state/state_file.h"

#include <sys/stat.h>

#include <fstream>

#include "tests/daemon/state/state_test_kit.h"

namespace saslatch::state {
namespace {

using Trouble = StateFile::Trouble;

struct Loaded {
  std::vector<policy::Change> changes;
  std::vector<policy::CounterRecord> counters;
};

Loaded load(StateFile& file, bool wanted = true) {
  Loaded all;
  EXPECT_FALSE(file.load(
      [&](const policy::Change& change) {
        all.changes.push_back(change);
        return wanted;
      },
      [&](const policy::CounterRecord& counter) {
        all.counters.push_back(counter);
        return wanted;
      }));
  return all;
}

const policy::LockRecord kLock{
    0xfedcba9876543210, 7, "user:al\0ice", "x'); DROP TABLE locks;--", kStart + 1h, 1h, 3};

TEST(StateFile, GivesBackWhatItWasGiven) {
  const Folder folder;
  {
    auto file = StateFile::open(folder.file());
    ASSERT_TRUE(file) << file.error().reason;
    EXPECT_FALSE((*file)->key().value());
    EXPECT_FALSE((*file)->replace({1, 2, 3}, {kLock}, {{5, std::string("a\0b", 3)}}));
    EXPECT_FALSE(
        (*file)->commit({policy::FamiliarRecord{9, *Network::parse("192.0.2.0/24"), kStart + 2s},
                         policy::FamiliarRecord{9, std::nullopt, kStart + 1s},
                         policy::FamiliarRecord{9, *Network::parse("2001:db8::/64"), kStart},
                         policy::FamiliarDropped{9, *Network::parse("2001:db8::/64")}},
                        {{6, "x"}, {5, ""}}));
  }
  auto file = StateFile::open(folder.file());
  ASSERT_TRUE(file) << file.error().reason;
  EXPECT_EQ((*file)->key().value(), (policy::HashKey{1, 2, 3}));
  const Loaded all = load(**file);
  ASSERT_EQ(all.changes.size(), 3u);
  const auto& lock = std::get<policy::LockRecord>(all.changes[0]);
  EXPECT_EQ(lock.key, kLock.key);
  EXPECT_EQ(lock.rule_id, kLock.rule_id);
  EXPECT_EQ(lock.subject, kLock.subject);
  EXPECT_EQ(lock.reason, kLock.reason);
  EXPECT_EQ(lock.until, kLock.until);
  EXPECT_EQ(lock.lasts, kLock.lasts);
  EXPECT_EQ(lock.level, kLock.level);
  EXPECT_FALSE(std::get<policy::FamiliarRecord>(all.changes[1]).network) << "oldest first";
  EXPECT_EQ(std::get<policy::FamiliarRecord>(all.changes[2]).network,
            *Network::parse("192.0.2.0/24"));
  ASSERT_EQ(all.counters.size(), 1u);
  EXPECT_EQ(all.counters[0].bytes, "x");
}

TEST(StateFile, ForgetsClearedLocks) {
  const Folder folder;
  auto file = StateFile::open(folder.file());
  policy::LockRecord other = kLock;
  other.key = 4;
  EXPECT_FALSE((*file)->commit({kLock, other, policy::LockCleared{4}}, {}));
  EXPECT_EQ(load(**file).changes.size(), 1u);
  EXPECT_FALSE((*file)->commit({other, policy::LocksCleared{}}, {}));
  EXPECT_TRUE(load(**file).changes.empty());
}

TEST(StateFile, DeletesWhatNobodyWantsAnyMore) {
  const Folder folder;
  auto file = StateFile::open(folder.file());
  EXPECT_FALSE(
      (*file)->commit({kLock, policy::FamiliarRecord{9, std::nullopt, kStart}}, {{5, "x"}}));
  EXPECT_EQ(load(**file, false).changes.size(), 2u);
  EXPECT_FALSE((*file)->commit({}, {}));
  const Loaded left = load(**file);
  EXPECT_TRUE(left.changes.empty());
  EXPECT_TRUE(left.counters.empty());
}

TEST(StateFile, IsForItsOwnerOnly) {
  const Folder folder;
  const mode_t before = umask(0);
  auto file = StateFile::open(folder.file());
  EXPECT_FALSE((*file)->commit({kLock}, {}));
  umask(before);
  for (const char* suffix : {"", "-wal"}) {
    struct stat facts {};
    ASSERT_EQ(stat((folder.file() + suffix).c_str(), &facts), 0) << suffix;
    EXPECT_EQ(facts.st_mode & 0777, 0600u) << suffix;
  }
}

TEST(StateFile, TellsDamageFromTrouble) {
  const Folder folder;
  EXPECT_EQ(StateFile::open(folder.path() + "/none/state.db").error().trouble, Trouble::kUnusable);
  std::filesystem::create_directory(folder.path() + "/folder");
  EXPECT_EQ(StateFile::open(folder.path() + "/folder").error().trouble, Trouble::kUnusable);
  std::ofstream(folder.path() + "/noise") << std::string(9000, 'x');
  EXPECT_EQ(StateFile::open(folder.path() + "/noise").error().trouble, Trouble::kDamaged);
}

TEST(StateFile, ATornFileIsDamagedOrWholeNeverHalf) {
  const Folder folder;
  std::vector<policy::CounterRecord> counters;
  for (uint64_t i = 0; i < 2000; ++i) counters.push_back({i, std::string(40, 'c')});
  {
    auto file = StateFile::open(folder.file());
    EXPECT_FALSE((*file)->replace({1}, {kLock}, counters));
  }
  const auto size = std::filesystem::file_size(folder.file());
  for (uintmax_t cut = size; cut > 4096; cut = cut * 3 / 4) {
    const std::string torn = folder.path() + "/torn";
    std::filesystem::copy_file(folder.file(), torn,
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(torn, cut);
    auto file = StateFile::open(torn);
    if (!file) {
      EXPECT_EQ(file.error().trouble, Trouble::kDamaged) << cut;
      continue;
    }
    size_t seen = 0;
    const auto failure = (*file)->load([](const policy::Change&) { return true; },
                                       [&](const policy::CounterRecord& record) {
                                         ++seen;
                                         return record.bytes == std::string(40, 'c');
                                       });
    EXPECT_EQ(failure.has_value(), seen < counters.size()) << cut;
    if (!failure) continue;
    EXPECT_EQ(failure->trouble, Trouble::kDamaged) << failure->reason;
  }
}

TEST(StateFile, CanBeReadWhereNothingCanBeWritten) {
  const Folder folder;
  {
    auto file = StateFile::open(folder.file());
    EXPECT_FALSE((*file)->replace({4}, {kLock}, {}));
  }
  auto file = StateFile::open_for_reading(folder.file());
  ASSERT_TRUE(file) << file.error().reason;
  EXPECT_EQ((*file)->key().value(), (policy::HashKey{4}));
  EXPECT_EQ(load(**file).changes.size(), 1u);
  EXPECT_TRUE((*file)->commit({kLock}, {}));
}

}  // namespace
}  // namespace saslatch::state
