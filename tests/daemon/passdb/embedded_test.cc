#include "daemon/passdb/embedded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "daemon/passdb/account_memory.h"
#include "daemon/passdb/sqlite.h"
#include "daemon/passdb/user_store.h"
#include "daemon/passdb/users_db.h"
#include "protocol/base/crypto/system_random.h"
#include "tests/daemon/passdb/child.h"
#include "tests/daemon/passdb/lookups.h"
#include "tests/daemon/passdb/scratch_dir.h"

namespace saslatch::passdb {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kHash = "{SHA256}qaiXMtHAITyGmQjHmwWvrwODspMrrEN6KSrCT9cgKPE=";

class Embedded : public ::testing::Test {
 protected:
  std::unique_ptr<UserStore> open_store() {
    auto store = UserStore::open(dir_.path(), random_);
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  void import(std::string_view text) {
    const auto done = open_store()->import(text, {}, {});
    EXPECT_TRUE(done) << done.error().message;
  }
  // What another program does to the file.
  void sql(const char* statement) {
    auto database =
        Database::open(dir_.file("users.db"), SQLITE_OPEN_READWRITE, std::chrono::milliseconds(0));
    ASSERT_TRUE(database);
    const auto done = database->run(statement);
    ASSERT_TRUE(done) << done.error().text;
  }
  Account account(std::string_view name) {
    Lookup found = look_up(passdb_, name);
    EXPECT_TRUE(std::holds_alternative<Account>(found)) << told(found);
    return std::holds_alternative<Account>(found) ? std::get<Account>(std::move(found)) : Account{};
  }
  std::string bytes_on_disk() const {
    std::string all;
    for (const char* file : {"users.db", "users.db-wal"}) {
      std::ifstream in(dir_.file(file), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }

  ScratchDir dir_;
  SystemRandom random_;
  EmbeddedPassdb passdb_{"embedded", dir_.path(), random_};
};

TEST_F(Embedded, IsMadeEmptyAtTheFirstStart) {
  EXPECT_THAT(told(passdb_, "alice"), AllOf(StartsWith("down:"), HasSubstr("No such file")));
  EXPECT_FALSE(passdb_.status().available);
  const auto made = passdb_.prepare();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(told(passdb_, "alice"), "unknown");
  EXPECT_TRUE(passdb_.status().available);
  EXPECT_TRUE(std::filesystem::exists(dir_.file("secret.key")));
  EXPECT_TRUE(passdb_.prepare()) << "a second start";
  EXPECT_TRUE(passdb_.check_usable());
}

TEST_F(Embedded, IsNotMadeAnewWhereItWasCutToNothing) {
  ASSERT_TRUE(open_store()->add("alice", {"pw", "CRAM-MD5", true}, {}));
  for (const char* file : {"users.db", "users.db-wal", "users.db-shm"})
    if (std::filesystem::exists(dir_.file(file))) std::filesystem::resize_file(dir_.file(file), 0);
  const auto again = passdb_.prepare();
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("restore it from a backup"));
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("down:"));
  EXPECT_FALSE(UserStore::open(dir_.path(), random_)) << "the command makes no tables either";
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("down:"));
  std::filesystem::remove(dir_.file("users.db"));
  EXPECT_TRUE(passdb_.prepare()) << "removed on purpose";
}

TEST_F(Embedded, IsDamagedWhereverItWasCut) {
  std::string lines;
  for (int i = 0; i < 200; ++i)
    lines += "user" + std::to_string(i) + ":" + std::string(kHash) + "\n";
  import(lines);
  const auto whole = dir_.file("whole");
  std::filesystem::copy_file(dir_.file("users.db"), whole);
  const auto size = std::filesystem::file_size(whole);
  for (uintmax_t cut = size - 1; cut > 0; cut -= std::min<uintmax_t>(cut, 397)) {
    std::filesystem::remove(dir_.file("users.db"));
    std::filesystem::copy_file(whole, dir_.file("users.db"));
    std::filesystem::resize_file(dir_.file("users.db"), cut);
    EmbeddedPassdb passdb("embedded", dir_.path(), random_);
    EXPECT_THAT(told(passdb, "user199"), StartsWith("down:")) << cut << " of " << size << " bytes";
    EXPECT_FALSE(passdb.prepare()) << cut << " of " << size << " bytes";
  }
}

TEST_F(Embedded, IsCheckedWithoutMakingAnything) {
  EXPECT_FALSE(passdb_.check_usable());
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  import("alice:" + std::string(kHash) + "\n");
  std::filesystem::remove(dir_.file("secret.key"));
  EXPECT_TRUE(passdb_.check_usable()) << "nothing depends on the key";
  import("bob:{PLAIN}two\n");
  std::filesystem::remove(dir_.file("secret.key"));
  EXPECT_FALSE(passdb_.check_usable());
  EXPECT_FALSE(std::filesystem::exists(dir_.file("secret.key")));
}

TEST_F(Embedded, SeesEachChangeAtItsNextLookup) {
  ASSERT_TRUE(passdb_.prepare());
  const auto store = open_store();
  EXPECT_EQ(told(passdb_, "alice"), "unknown");
  ASSERT_TRUE(store->add("alice", {"pw", "CRAM-MD5", true}, {}));
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("{CRAM-MD5}"));
  EXPECT_FALSE(account("alice").disabled);
  ASSERT_TRUE(store->set_enabled("alice", false, {}));
  EXPECT_TRUE(account("alice").disabled);
  ASSERT_TRUE(store->remove("alice"));
  EXPECT_EQ(told(passdb_, "alice"), "unknown");
  EXPECT_EQ(told(passdb_, "ALICE"), "unknown");
}

TEST_F(Embedded, ShowsNoPasswordEquivalentOnDisk) {
  import("bob:{PLAIN}a-plaintext-password\n");
  ASSERT_TRUE(open_store()->add("alice", {"tanstaaftanstaaf", "CRAM-MD5", true}, {}));
  EXPECT_THAT(told(passdb_, "alice"),
              HasSubstr("d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b"));
  EXPECT_EQ(told(passdb_, "bob"), "{PLAIN}a-plaintext-password");
  const std::string disk = bytes_on_disk();
  EXPECT_EQ(disk.find("a-plaintext-password"), std::string::npos);
  EXPECT_EQ(disk.find("d06d4e1b"), std::string::npos);
  EXPECT_NE(disk.find("alice"), std::string::npos) << "the test looked at nothing";
}

TEST_F(Embedded, OverwritesWhatIsRemoved) {
  import("alice:" + std::string(kHash) + "\n");
  EXPECT_NE(bytes_on_disk().find(kHash), std::string::npos);
  ASSERT_TRUE(open_store()->remove("alice"));
  EXPECT_EQ(bytes_on_disk().find(kHash), std::string::npos);
}

TEST_F(Embedded, OpensASealedCredentialInItsOwnPlaceOnly) {
  import("alice:{PLAIN}one\nbob:{PLAIN}two\ncarol:{PLAIN}three\n");
  sql("UPDATE credentials SET data = (SELECT data FROM credentials WHERE account = 1) "
      "WHERE account = 2");
  sql("UPDATE credentials SET data = substr(data, 1, 20) WHERE account = 3");
  EXPECT_EQ(told(passdb_, "alice"), "{PLAIN}one");
  for (const char* name : {"bob", "carol"}) {
    EXPECT_THAT(account(name).credentials, ::testing::IsEmpty()) << name;
    EXPECT_THAT(account(name).damaged, HasSubstr("set the password again")) << name;
    EXPECT_EQ(account(name).withheld, "") << name;
  }
}

TEST_F(Embedded, KeepsALostKeyApartFromAnUnknownUser) {
  import("alice:" + std::string(kHash) + "\nbob:{PLAIN}two\n");
  std::filesystem::rename(dir_.file("secret.key"), dir_.file("kept"));
  EXPECT_EQ(told(passdb_, "alice"), kHash);
  EXPECT_THAT(account("bob").withheld, HasSubstr("No such file"));
  EXPECT_FALSE(passdb_.prepare());
  EXPECT_FALSE(std::filesystem::exists(dir_.file("secret.key")));
  EXPECT_TRUE(passdb_.status().available);
  EXPECT_THAT(passdb_.status().reason, HasSubstr("secret.key"));

  dir_.write("secret.key", std::string(32, 'k'));
  chmod(dir_.file("secret.key").c_str(), 0600);
  EXPECT_THAT(account("bob").withheld, HasSubstr("not the key"));

  std::filesystem::rename(dir_.file("kept"), dir_.file("secret.key"));
  EXPECT_EQ(told(passdb_, "bob"), "{PLAIN}two");
}

TEST_F(Embedded, UsesADatabaseThatComesLateOrIsReplaced) {
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("down:"));
  import("alice:{PLAIN}one\n");
  EXPECT_EQ(told(passdb_, "alice"), "{PLAIN}one");
  EXPECT_EQ(passdb_.typical_credential().stored, "");
  EXPECT_EQ(told(passdb_, "alice"), "{PLAIN}one");

  const ScratchDir other;
  std::filesystem::copy(dir_.file("secret.key"), other.file("secret.key"));
  {
    auto store = UserStore::open(other.path(), random_);
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->import("bob:" + std::string(kHash) + "\n", {}, {}));
  }
  std::filesystem::rename(other.file("users.db"), dir_.file("users.db"));
  EXPECT_EQ(told(passdb_, "alice"), "unknown");
  EXPECT_EQ(told(passdb_, "bob"), kHash);
  EXPECT_THAT(passdb_.typical_credential().stored, StartsWith("{SHA256"));

  std::filesystem::remove(dir_.file("users.db"));
  EXPECT_THAT(told(passdb_, "bob"), StartsWith("down:"));
}

TEST_F(Embedded, NeverTakesADamagedDatabaseForOneWithoutUsers) {
  import("alice:{PLAIN}one\n");
  const std::string whole = bytes_on_disk();
  std::string cut = whole.substr(0, whole.size() / 2);
  std::string scratched = whole;
  for (size_t i = 4096; i < scratched.size(); ++i) scratched[i] = '\x5a';
  for (const std::string& damaged : {std::string("no database at all\n", 19),
                                     std::string(8192, 'x'), cut, scratched, std::string()}) {
    for (const char* log : {"users.db-wal", "users.db-shm"}) {
      std::filesystem::remove(dir_.file(log));
    }
    dir_.replace("users.db", damaged);
    EXPECT_THAT(told(passdb_, "alice"), StartsWith("down:")) << damaged.size();
    EXPECT_THAT(told(passdb_, "bob"), StartsWith("down:")) << damaged.size();
    EXPECT_FALSE(passdb_.list("*", [](std::string_view) { return true; })) << damaged.size();
  }
  const auto store = UserStore::open(dir_.path(), random_);
  dir_.replace("users.db", "no database at all\n");
  const auto refused = UserStore::open(dir_.path(), random_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, StoreError::Kind::kBroken);
  EXPECT_THAT(refused.error().message, HasSubstr("backup"));
}

TEST_F(Embedded, RefusesANewerVersionAndAForeignDatabase) {
  import("alice:{PLAIN}one\n");
  sql("PRAGMA user_version = 99");
  EXPECT_THAT(told(passdb_, "alice"), HasSubstr("one")) << "an open connection goes on";
  EmbeddedPassdb later("embedded", dir_.path(), random_);
  EXPECT_THAT(told(later, "alice"), HasSubstr("newer saslatch"));
  EXPECT_FALSE(UserStore::open(dir_.path(), random_));
  sql("PRAGMA application_id = 7");
  EmbeddedPassdb foreign("embedded", dir_.path(), random_);
  EXPECT_THAT(told(foreign, "alice"), HasSubstr("another program"));
}

TEST_F(Embedded, ReadsWhereNothingCanBeWritten) {
  import("alice:" + std::string(kHash) + "\n");
  std::filesystem::remove(dir_.file("users.db-wal"));
  std::filesystem::remove(dir_.file("users.db-shm"));
  for (const char* file : {"users.db", "secret.key"}) {
    if (geteuid() == 0) {
      ASSERT_EQ(chown(dir_.file(file).c_str(), kNobody, kNobody), 0);
    }
  }
  chmod(dir_.file("users.db").c_str(), 0400);
  chmod(dir_.path().c_str(), 0555);
  const auto seen = as_nobody([this] {
    SystemRandom random;
    EmbeddedPassdb passdb("embedded", dir_.path(), random);
    if (told(passdb, "alice") != kHash) return 1;
    if (told(passdb, "bob") != "unknown") return 2;
    if (told(passdb, "alice") != kHash) return 3;
    if (listed(passdb, "*").size() != 1) return 4;
    if (!passdb.typical_credential().stored.starts_with("{SHA256")) return 5;
    if (!passdb.prepare()) return 6;  // what is there can be used
    const auto store = UserStore::open(dir_.path(), random);
    return store ? 7 : 0;
  });
  EXPECT_EQ(seen, 0);
  chmod(dir_.path().c_str(), 0700);
}

TEST_F(Embedded, IsDownWhereItMayNotRead) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a second user";
  import("alice:{PLAIN}one\n");
  chmod(dir_.path().c_str(), 0755);
  EXPECT_EQ(as_nobody([this] {
              SystemRandom random;
              EmbeddedPassdb passdb("embedded", dir_.path(), random);
              return told(passdb, "alice").starts_with("down:") ? 0 : 1;
            }),
            0);
}

TEST_F(Embedded, GoesOnReadingWhenTheDiskIsFull) {
  import("alice:{PLAIN}one\n");
  const auto seen = in_child([this] {
    SystemRandom random;
    EmbeddedPassdb passdb("embedded", dir_.path(), random);
    if (told(passdb, "alice") != "{PLAIN}one") return 1;
    auto store = UserStore::open(dir_.path(), random);
    if (!store) return 2;
    // From here on no file grows: the nearest to a full disk that a test can make.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit none{1, 1};
    if (setrlimit(RLIMIT_FSIZE, &none) != 0) return 3;
    const auto added = (*store)->add("bob", {"pw", "CRAM-MD5", true}, {});
    if (added) return 4;
    if (added.error().kind != StoreError::Kind::kBroken) return 5;
    if (told(passdb, "alice") != "{PLAIN}one") return 6;
    if (told(passdb, "bob") != "unknown") return 7;
    return 0;
  });
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(told(passdb_, "bob"), "unknown");
}

TEST_F(Embedded, ListsByMaskAcrossItsPages) {
  std::string text;
  for (int i = 0; i < 2500; ++i) text += "user" + std::to_string(i) + ":" + kHash + "\n";
  import(text);
  EXPECT_EQ(listed(passdb_, "*").size(), 2500u);
  EXPECT_EQ(listed(passdb_, "USER249?").size(), 10u);
  EXPECT_THAT(listed(passdb_, "user7"), ElementsAre("user7"));
  int seen = 0;
  EXPECT_TRUE(passdb_.list("*", [&seen](std::string_view) { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
}

TEST_F(Embedded, TakesItsNewestPasswordsForTypical) {
  ASSERT_TRUE(passdb_.prepare());
  EXPECT_EQ(passdb_.typical_credential().stored, "");
  import("alice:" + std::string(kHash) + "\n");
  const TypicalCredential typical = passdb_.typical_credential();
  EXPECT_THAT(typical.stored, StartsWith("{SHA256"));
  EXPECT_EQ(typical.stored.find("qaiXMtHA"), std::string::npos);
  EXPECT_EQ(typical.accounts, 1u);
  ASSERT_TRUE(open_store()->set_password("alice", {"x", "SCRAM-SHA-256", false}, {}));
  EXPECT_THAT(passdb_.typical_credential().stored, StartsWith("{SCRAM-SHA-256"));
}

// With the accounts in memory the contracts are the same: each of these looks at it both ways.
class EmbeddedInMemory : public Embedded {
 protected:
  // Reads the accounts into memory, long after the last time.
  void refresh() { passdb_.refresh(now_ += std::chrono::hours(1)); }
  // What another connection, which has nothing in memory, says of the name.
  std::string told_by_disk(std::string_view name) {
    EmbeddedPassdb other("embedded", dir_.path(), random_);
    return told(other, name);
  }
  // now_ is refresh()'s, on another thread.
  std::string recalled_at_any_time(std::string_view name) {
    const auto answer = passdb_.recall(name, {});
    return answer ? told(*answer) : "?";
  }
  // What an event loop is told: "?" for nothing.
  std::string recalled(std::string_view name) {
    const auto answer = passdb_.recall(name, now_);
    return answer ? told(*answer) : "?";
  }
  std::chrono::steady_clock::time_point now_{};
};

TEST_F(EmbeddedInMemory, SeesEachChangeAtItsNextLookup) {
  import("alice:" + std::string(kHash) + "\nbob:{PLAIN}two\ncarol:{PLAIN}three\n");
  refresh();
  EXPECT_EQ(told(passdb_, "alice"), kHash);
  EXPECT_EQ(told(passdb_, "bob"), "{PLAIN}two");
  EXPECT_EQ(told(passdb_, "dave"), "unknown");
  const auto store = open_store();
  ASSERT_TRUE(store->add("dave", {"pw", "CRAM-MD5", true}, {}));
  EXPECT_THAT(told(passdb_, "dave"), StartsWith("{CRAM-MD5}"));
  ASSERT_TRUE(store->set_password("alice", {"pw", "SCRAM-SHA-256", true}, {}));
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("{SCRAM-SHA-256}"));
  EXPECT_EQ(account("alice").credentials.size(), 2u);
  ASSERT_TRUE(store->set_enabled("bob", false, {}));
  EXPECT_TRUE(account("bob").disabled);
  ASSERT_TRUE(store->set_enabled("bob", true, {}));
  EXPECT_FALSE(account("bob").disabled);
  ASSERT_TRUE(store->remove("carol"));
  EXPECT_EQ(told(passdb_, "carol"), "unknown");
  ASSERT_TRUE(store->add("carol", {"pw", "CRAM-MD5", true}, {}));
  EXPECT_EQ(told(passdb_, "carol"), told_by_disk("carol"));
}

TEST_F(EmbeddedInMemory, SeesWhatOtherProgramsDoToTheTables) {
  import("alice:" + std::string(kHash) + "\nbob:" + kHash + "\ncarol:" + kHash + "\n");
  refresh();
  EXPECT_EQ(told(passdb_, "alice"), kHash);
  sql("UPDATE accounts SET name = 'alicia' WHERE name = 'alice'");
  sql("UPDATE credentials SET data = CAST('{PLAIN}new' AS BLOB) WHERE account = 2");
  sql("INSERT INTO accounts VALUES (9, 'dave', 1, 0, 0)");
  sql("INSERT INTO credentials SELECT 9, serial, kind, scheme, data FROM credentials "
      "WHERE account = 1");
  sql("DELETE FROM credentials WHERE account = 3");
  for (const char* name : {"alice", "alicia", "bob", "carol", "dave"}) {
    EXPECT_EQ(told(passdb_, name), told_by_disk(name)) << name;
  }
  EXPECT_EQ(told(passdb_, "alice"), "unknown");
  EXPECT_EQ(told(passdb_, "bob"), "{PLAIN}new");
  EXPECT_EQ(told(passdb_, "carol"), "") << "an account without credentials is one all the same";
  EXPECT_EQ(told(passdb_, "dave"), kHash);
  sql("DELETE FROM accounts WHERE name = 'dave'");
  EXPECT_EQ(told(passdb_, "dave"), "unknown");
}

TEST_F(EmbeddedInMemory, AnswersFromTheDiskWhereMoreHasChangedThanIsTold) {
  import("alice:" + std::string(kHash) + "\n");
  refresh();
  EXPECT_EQ(told(passdb_, "alice"), kHash);
  for (const int accounts : {2500, 600}) {  // told of by a gap, and one by one
    std::string text;
    for (int i = 0; i < accounts; ++i) {
      text += "user" + std::to_string(accounts + i) + ":" + kHash + "\n";
    }
    import(text);
    const std::string last = "user" + std::to_string(2 * accounts - 1);
    EXPECT_EQ(told(passdb_, last), kHash);
    EXPECT_EQ(told(passdb_, "alice"), kHash);
    refresh();
    EXPECT_EQ(told(passdb_, last), kHash);
    EXPECT_EQ(told(passdb_, "nobody"), "unknown");
  }
  ASSERT_TRUE(open_store()->remove("alice"));
  EXPECT_EQ(told(passdb_, "alice"), "unknown");
}

TEST_F(EmbeddedInMemory, FollowsAFileThatIsReplacedOrRemoved) {
  import("alice:" + std::string(kHash) + "\n");
  refresh();
  const ScratchDir other;
  std::filesystem::copy(dir_.file("secret.key"), other.file("secret.key"));
  ASSERT_TRUE((*UserStore::open(other.path(), random_))->import("bob:{PLAIN}two\n", {}, {}));
  std::filesystem::rename(other.file("users.db"), dir_.file("users.db"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(told(passdb_, "alice"), "unknown");
    EXPECT_EQ(told(passdb_, "bob"), "{PLAIN}two");
    refresh();
  }
  std::filesystem::remove(dir_.file("users.db"));
  EXPECT_THAT(told(passdb_, "bob"), StartsWith("down:"));
  refresh();
  EXPECT_THAT(told(passdb_, "bob"), StartsWith("down:"));
}

TEST_F(EmbeddedInMemory, IsDownWhileTheFileIsDamagedBeneathIt) {
  import("alice:" + std::string(kHash) + "\n");
  refresh();
  EXPECT_EQ(told(passdb_, "alice"), kHash);
  const std::string whole = bytes_on_disk();
  const auto overwrite = [this](const std::string& bytes) {
    std::ofstream(dir_.file("users.db"), std::ios::binary) << bytes;
  };
  overwrite(whole.substr(0, 1000));
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("down:"));
  EXPECT_THAT(told(passdb_, "nobody"), StartsWith("down:"));
  refresh();
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("down:"));
  overwrite(whole);
  EXPECT_EQ(told(passdb_, "alice"), kHash);
  EXPECT_EQ(told(passdb_, "nobody"), "unknown");
  overwrite(std::string(100'000, 'x'));  // SQLite sees that only where it reads
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(told(passdb_, "alice"), ::testing::AnyOf(StartsWith("down:"), kHash));
    refresh();
  }
}

TEST_F(EmbeddedInMemory, KeepsTheOrderAndTheBoundOfCredentials) {
  import("alice:{PLAIN}one\n");
  sql("INSERT INTO credentials SELECT 1, 2, 'hash', 'X', CAST('{X}2' AS BLOB)");
  sql("INSERT INTO credentials SELECT 1, 3, kind, scheme, data FROM credentials WHERE serial = 1");
  for (int i = 4; i < 50; ++i) {
    sql(("INSERT INTO credentials SELECT 1, " + std::to_string(i) +
         ", 'hash', 'X', CAST('x' AS BLOB)")
            .c_str());
    if (i == 4) refresh();
  }
  EXPECT_EQ(account("alice").credentials.size(), 32u);
  EXPECT_EQ(told(passdb_, "alice"), told_by_disk("alice"));
  EXPECT_THAT(told(passdb_, "alice"), StartsWith("{PLAIN}one {X}2 {PLAIN}one x"));
  EmbeddedPassdb later("embedded", dir_.path(), random_);
  later.refresh(now_);
  EXPECT_EQ(told(later, "alice"), told_by_disk("alice"));
}

// What an event loop is told at once: never what was true before a command ended.
TEST_F(EmbeddedInMemory, RecallsOnlyWhatIsTrueAtPresent) {
  import("alice:" + std::string(kHash) + "\nbob:{PLAIN}two\n");
  EXPECT_EQ(recalled("alice"), "?") << "nothing is in memory yet";
  refresh();
  EXPECT_EQ(recalled("alice"), kHash);
  EXPECT_EQ(recalled("nobody"), "unknown");
  EXPECT_EQ(recalled("bob"), "?") << "its plaintext is sealed, and the key was not read yet";
  EXPECT_EQ(told(passdb_, "bob"), "{PLAIN}two");
  EXPECT_EQ(recalled("bob"), "{PLAIN}two");

  const auto store = open_store();
  const std::vector<std::function<bool()>> commands = {
      [&] { return store->set_enabled("alice", false, {}).has_value(); },
      [&] {
        return store->set_password("bob", {"pw", "SCRAM-SHA-256", false}, {}).has_value();
      },
      [&] { return store->remove("alice").has_value(); },
      [&] {
        return store->add("alice", {"pw", "CRAM-MD5", true}, {}).has_value();
      },
      [&] { return store->set_enabled("bob", false, {}).has_value(); },
  };
  for (size_t i = 0; i < commands.size(); ++i) {
    ASSERT_TRUE(commands[i]()) << i;
    EXPECT_EQ(recalled("alice"), "?") << i;
    EXPECT_EQ(recalled("bob"), "?") << i;
    // The first that waits for the database, or housekeeping, catches up for all.
    if (i % 2 == 0)
      EXPECT_EQ(told(passdb_, "nobody"), "unknown");
    else
      passdb_.refresh(now_);
    for (const char* name : {"alice", "bob"}) {
      EXPECT_EQ(recalled(name), told_by_disk(name)) << i;
    }
  }
  EXPECT_EQ(recalled("bob"), told_by_disk("bob"));
  EXPECT_TRUE(std::get<Account>(*passdb_.recall("bob", now_)).disabled);
}

TEST_F(EmbeddedInMemory, RecallsNothingOnceNobodyHasLookedAtTheFileForLong) {
  import("alice:" + std::string(kHash) + "\n");
  refresh();
  EXPECT_EQ(recalled("alice"), kHash);
  now_ += EmbeddedPassdb::kTrusted;
  EXPECT_EQ(recalled("alice"), "?");
  passdb_.refresh(now_);
  EXPECT_EQ(recalled("alice"), kHash);

  const ScratchDir other;
  std::filesystem::copy(dir_.file("secret.key"), other.file("secret.key"));
  ASSERT_TRUE(
      (*UserStore::open(other.path(), random_))->import("carol:" + std::string(kHash), {}, {}));
  std::filesystem::rename(other.file("users.db"), dir_.file("users.db"));
  passdb_.refresh(now_);
  EXPECT_EQ(recalled("alice"), "unknown");
  EXPECT_EQ(recalled("carol"), kHash);
  ASSERT_TRUE(open_store()->remove("carol"));
  EXPECT_EQ(recalled("carol"), "?");
  std::filesystem::remove(dir_.file("users.db"));
  passdb_.refresh(now_);
  EXPECT_EQ(recalled("alice"), "?");
}

// A writer that holds the database, and one that has written and not committed yet.
TEST_F(EmbeddedInMemory, RecallsWhileOthersHoldTheDatabase) {
  import("alice:" + std::string(kHash) + "\n");
  refresh();
  auto writer =
      Database::open(dir_.file("users.db"), SQLITE_OPEN_READWRITE, std::chrono::milliseconds(0));
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->run("BEGIN EXCLUSIVE"));
  EXPECT_EQ(recalled("alice"), kHash);
  ASSERT_TRUE(writer->run("UPDATE accounts SET enabled = 0"));
  EXPECT_EQ(recalled("alice"), kHash);
  ASSERT_TRUE(writer->run("ROLLBACK"));
  EXPECT_EQ(recalled("alice"), kHash);
  ASSERT_TRUE(writer->run("BEGIN EXCLUSIVE; UPDATE accounts SET enabled = 0; COMMIT"));
  EXPECT_EQ(recalled("alice"), "?");
}

// While memory is being brought up to date, by somebody who waits for the disk.
TEST_F(EmbeddedInMemory, DoesNotWaitForWhoReadsChangesIntoMemory) {
  import("alice:" + std::string(kHash) + "\n");
  auto database = open_users_db_for_reading(dir_.path());
  ASSERT_TRUE(database);
  AccountMemory memory;
  ASSERT_TRUE(memory.load(database->database));
  bool is_asked = false;
  ASSERT_TRUE(memory.find(0, "alice", [&](std::string_view) {
    // A reader hinders nobody; a writer does.
    is_asked = memory.find_now(0, "alice", [](std::string_view) {});
  }));
  EXPECT_TRUE(is_asked);
  ASSERT_TRUE(open_store()->add("bob", {"pw", "CRAM-MD5", true}, {}));
  std::atomic<bool> is_reading{false};
  std::atomic<bool> may_end{false};
  const std::function<bool()> wait = [&] {
    is_reading = true;
    while (!may_end) std::this_thread::yield();
    return false;
  };
  database->database.interrupt_when(&wait, 1);
  std::thread writer([&] { EXPECT_TRUE(memory.catch_up(database->database)); });
  while (!is_reading) std::this_thread::yield();
  EXPECT_FALSE(memory.find_now(0, "alice", [](std::string_view) {}));
  may_end = true;
  writer.join();
  database->database.interrupt_when(nullptr, 0);
  EXPECT_TRUE(memory.find_now(0, "alice", [](std::string_view) {}));
}

TEST_F(EmbeddedInMemory, ReadsADatabaseThatTellsNoChanges) {
  import("alice:" + std::string(kHash) + "\n");
  sql("PRAGMA user_version = 2");
  refresh();
  EXPECT_EQ(recalled("alice"), "?");
  EXPECT_EQ(told(passdb_, "alice"), kHash);
  sql("UPDATE accounts SET enabled = 0");
  EXPECT_TRUE(account("alice").disabled);
}

TEST(AccountMemory, HoldsNothingWhereNotAllFits) {
  const ScratchDir dir;
  SystemRandom random;
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += "user" + std::to_string(i) + ":" + kHash + "\n";
  ASSERT_TRUE((*UserStore::open(dir.path(), random))->import(text, {}, {}));
  auto opened = open_users_db_for_reading(dir.path());
  ASSERT_TRUE(opened);
  const auto nothing = [](std::string_view) {};
  for (const size_t megabytes : {1, 3}) {
    AccountMemory small(megabytes << 20);
    EXPECT_FALSE(small.load(opened->database)) << megabytes;
    EXPECT_FALSE(small.find(0, "user1", nothing)) << megabytes;
  }
  AccountMemory large(size_t{8} << 20);
  EXPECT_TRUE(large.load(opened->database));
  EXPECT_TRUE(large.find(0, "user1", nothing));
  EXPECT_FALSE(large.find(1'000'000, "user1", nothing)) << "it has not come so far";
}

TEST(AccountTable, FindsWhatWasPutLastAndKnowsItsWaste) {
  AccountTable table(100, size_t{64} << 20);
  EXPECT_EQ(table.find("alice"), "");
  EXPECT_TRUE(table.forget("alice"));
  AccountRecord record;
  const std::string data(10'000, 'x');
  for (int round = 0; round < 300; ++round) {
    record.begin(round % 2 == 0);
    record.add(true, data);
    record.add(false, std::to_string(round));
    ASSERT_TRUE(table.put("alice", record.bytes()));
    EXPECT_EQ(table.find("alice"), record.bytes());
  }
  EXPECT_TRUE(table.is_wasteful());
  EXPECT_TRUE(table.forget("alice"));
  EXPECT_EQ(table.find("alice"), "");
  EXPECT_FALSE(table.put("big", std::string(size_t{2} << 20, 'x')));
  int fit = 0;
  while (fit < 10'000 && table.put("user" + std::to_string(fit), record.bytes())) ++fit;
  EXPECT_GE(fit, 150) << "room for those it was made for, and half as many";
  EXPECT_LT(fit, 10'000) << "some slots stay free, or a search would not end";
  for (int i = 0; i < fit; ++i) EXPECT_NE(table.find("user" + std::to_string(i)), "");
  EXPECT_EQ(table.find("user10000"), "");
}

TEST_F(EmbeddedInMemory, AnswersManyThreadsWhileItIsWrittenTo) {
  import("alice:{PLAIN}one\n");
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::atomic<int> added{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      while (!over) {
        const int last = added;
        if (told(passdb_, "alice") != "{PLAIN}one") ++wrong;
        if (told(passdb_, "nobody") != "unknown") ++wrong;
        const std::string newest = "user" + std::to_string(last);
        if (last > 0 && recalled_at_any_time(newest) == "unknown") ++wrong;
        if (last > 0 && told(passdb_, newest) == "unknown") ++wrong;
      }
    });
  }
  readers.emplace_back([&] {
    while (!over) refresh();
  });
  const auto store = open_store();
  for (int i = 1; i <= 50; ++i) {
    ASSERT_TRUE(store->add("user" + std::to_string(i), {"pw", "CRAM-MD5", true}, {}));
    added = i;
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Embedded, AnswersManyThreadsWhileItIsWrittenTo) {
  import("alice:{PLAIN}one\n");
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 4; ++r) {
    readers.emplace_back([&] {
      while (!over) {
        if (told(passdb_, "alice") != "{PLAIN}one") ++wrong;
        if (told(passdb_, "nobody") != "unknown") ++wrong;
        (void)passdb_.typical_credential();
        (void)passdb_.status();
      }
    });
  }
  const auto store = open_store();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(store->add("user" + std::to_string(i), {"pw", "CRAM-MD5", true}, {}));
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(listed(passdb_, "*").size(), 51u);
}

}  // namespace
}  // namespace saslatch::passdb
