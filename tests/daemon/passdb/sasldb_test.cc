#include "daemon/passdb/sasldb/sasldb.h"

#include <db.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "daemon/passdb/sasldb/sasldb_file.h"
#include "tests/daemon/audit/recording_log.h"
#include "tests/daemon/passdb/lookups.h"
#include "tests/daemon/passdb/scratch_dir.h"

namespace saslatch::passdb {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Entries as saslpasswd2 writes them; the integration tests have its own.
class SasldbTest : public ::testing::Test {
 protected:
  void write(const std::vector<std::pair<std::string, std::string>>& entries) {
    DB* db = nullptr;
    ASSERT_EQ(db_create(&db, nullptr, 0), 0);
    ASSERT_EQ(db->open(db, nullptr, path_.c_str(), nullptr, DB_HASH, DB_CREATE, 0600), 0);
    for (const auto& [key, value] : entries) {
      DBT k{};
      DBT v{};
      std::string name = key;
      std::string data = value;
      k.data = name.data();
      k.size = static_cast<u_int32_t>(name.size());
      v.data = data.data();
      v.size = static_cast<u_int32_t>(data.size());
      ASSERT_EQ(db->put(db, nullptr, &k, &v, 0), 0);
    }
    ASSERT_EQ(db->close(db, 0), 0);
  }
  void write_users(const std::vector<std::pair<std::string, std::string>>& users) {
    auto entries = users;
    for (auto& [name, password] : entries) {
      name[name.find('@')] = '\0';
      name += "\0userPassword"s;
    }
    write(entries);
  }
  SasldbPassdb& passdb() {
    if (!passdb_) {
      passdb_ = std::make_unique<SasldbPassdb>(SasldbOptions{"old", path_, "host.example", true},
                                               log_, [this] { return now_; });
    }
    return *passdb_;
  }
  std::string told_of(std::string_view name) { return told(passdb(), name); }

  ScratchDir dir_;
  std::string path_ = dir_.file("sasldb2");
  RecordingLog log_;
  std::chrono::steady_clock::time_point now_{1000s};
  std::unique_ptr<SasldbPassdb> passdb_;
};

TEST_F(SasldbTest, KnowsEachUserOfEachRealmByThePasswordItself) {
  write_users({{"alice@example.com", "secret word"},
               {"alice@host.example", "another"},
               {"Bob@Example.COM", "{CRYPT}is no scheme here"}});
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}secret word");
  EXPECT_EQ(told_of("alice@host.example"), "{PLAIN}another");
  EXPECT_EQ(told_of("bob@example.com"), "{PLAIN}{CRYPT}is no scheme here");
  for (const char* unknown : {"alice@example.co", "alice@", "@example.com", "carol", "bob", ""}) {
    EXPECT_EQ(told_of(unknown), "unknown") << unknown;
  }
  EXPECT_THAT(listed(passdb(), "alice@*"), ElementsAre("alice@example.com", "alice@host.example"));
  EXPECT_EQ(passdb().status().accounts, 3u);
}

TEST_F(SasldbTest, MapsANameWithoutARealmToTheOneAccount) {
  write_users({{"alice@host.example", "pw"}});
  const Lookup found = look_up(passdb(), "alice");
  ASSERT_TRUE(std::holds_alternative<Account>(found));
  EXPECT_EQ(std::get<Account>(found).name, "alice@host.example") << "locks must meet both names";
}

TEST_F(SasldbTest, PassesOverWhatIsNoPassword) {
  write({{"alice\0example.com\0cmusaslsecretOTP"s, "x"},
         {"alice\0example.com"s, "x"},
         {"\0example.com\0userPassword"s, "x"},
         {"alice", "x"},
         {std::string(2000, 'a') + "\0r\0userPassword"s, "x"},
         {"bob\0\0userPassword"s, "pw"}});
  EXPECT_THAT(listed(passdb(), "*"), ElementsAre("bob@"));
}

TEST_F(SasldbTest, PicksAChangeUpAtTheNextLookUp) {
  write_users({{"alice@example.com", "old"}});
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}old");
  write_users({{"alice@example.com", "new"}, {"bob@example.com", "pw"}});
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}new");
  EXPECT_EQ(told_of("bob@example.com"), "{PLAIN}pw");
}

TEST_F(SasldbTest, KeepsItsLastGoodContentsAndSaysWhy) {
  write_users({{"alice@example.com", "pw"}});
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}pw");
  std::filesystem::rename(path_, path_ + ".gone");
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}pw");
  EXPECT_THAT(passdb().status().reason, HasSubstr("No such file"));
  dir_.write("sasldb2", std::string(5000, 'x'));
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}pw");
  EXPECT_EQ(log_.count("sasldb-unreadable"), 1u) << "once a minute";
  std::filesystem::rename(path_ + ".gone", path_);
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}pw");
  EXPECT_THAT(passdb().status().reason, IsEmpty());

  std::filesystem::remove(path_);
  write({});
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}pw") << "perhaps it is being made anew";
  now_ += 10s;
  EXPECT_EQ(told_of("alice@example.com"), "unknown");
}

TEST_F(SasldbTest, IsDownUntilItsFileIsThere) {
  EXPECT_THAT(told_of("alice@example.com"), StartsWith("down: "));
  EXPECT_FALSE(passdb().status().available);
  write_users({{"alice@example.com", "pw"}});
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}pw");
  EXPECT_TRUE(passdb().status().available);
}

// Nothing can be written to a file while it lives, and so not to a copy in memory. (The sanitizers
// need descriptors, else they could be what is missing.)
class NoRoom {
 public:
  NoRoom() : before_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &usual_);
    rlimit none = usual_;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoRoom() {
    setrlimit(RLIMIT_FSIZE, &usual_);
    signal(SIGXFSZ, before_);
  }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;

 private:
  void (*before_)(int);
  rlimit usual_{};
};

TEST_F(SasldbTest, IsNotReadForEachLookUpWhereItCannotBe) {
  write_users({{"alice@example.com", "pw"}});
  std::string at_first;
  {
    const NoRoom none;
    at_first = told_of("alice@example.com");
  }
  EXPECT_THAT(at_first, HasSubstr("File too large"));
  now_ += SasldbPassdb::kReadAgain - 1ms;
  EXPECT_EQ(told_of("alice@example.com"), at_first);
  now_ += 1ms;
  EXPECT_EQ(told_of("alice@example.com"), "{PLAIN}pw");
}

// What libdb does not free when it finds a file damaged is not ours to free.
#if defined(__SANITIZE_ADDRESS__)
using LeaksOfOthers = __lsan::ScopedDisabler;
#else
struct LeaksOfOthers {
  LeaksOfOthers() {}
};
#endif

TEST_F(SasldbTest, IsNotEndedByADamagedFile) {
  const LeaksOfOthers are_not_told_of;
  std::vector<std::pair<std::string, std::string>> users;
  for (int i = 0; i < 300; ++i) {
    // Some are longer than a page.
    users.emplace_back("user" + std::to_string(i) + "@example.com",
                       "secret" + std::string(i % 50 == 0 ? 6000 : 3, 'x'));
  }
  write_users(users);
  EXPECT_EQ(listed(passdb(), "*").size(), users.size());
  const std::string whole = content_of(path_);
  // Heads of pages, with the numbers of their neighbours and the places of their entries.
  constexpr size_t kPage = 4096;
  constexpr size_t kHead = 128;
  std::mt19937 random(1);
  ::testing::internal::CaptureStdout();
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    for (uint32_t bytes = random() % 8; bytes-- > 0;) {
      const size_t page = random() % (whole.size() / kPage);
      damaged[page * kPage + random() % kHead] = static_cast<char>(random());
    }
    dir_.write("sasldb2", damaged);
    (void)read_sasldb(path_, true);
  }
  for (size_t cut = whole.size(); cut > 0; cut = cut * 3 / 4) {
    dir_.write("sasldb2", whole.substr(0, cut - 1));
    EXPECT_FALSE(read_sasldb(path_, true)) << cut;
  }
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "") << "libdb prints what it finds";
}

TEST_F(SasldbTest, ReadsNoDeviceAndNoDirectory) {
  path_ = "/dev/zero";
  EXPECT_THAT(told_of("alice"), HasSubstr("no regular file"));
  passdb_.reset();
  path_ = dir_.path();
  EXPECT_THAT(told_of("alice"), HasSubstr("no regular file"));
}

}  // namespace
}  // namespace saslatch::passdb
