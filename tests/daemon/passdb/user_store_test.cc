#include "daemon/passdb/user_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "daemon/passdb/embedded.h"
#include "daemon/passdb/user_import.h"
#include "daemon/password/create.h"
#include "protocol/base/crypto/system_random.h"
#include "tests/daemon/passdb/child.h"
#include "tests/daemon/passdb/lookups.h"
#include "tests/daemon/passdb/scratch_dir.h"

namespace saslatch::passdb {
namespace {

using Kind = StoreError::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

constexpr const char* kHash = "{SHA256}qaiXMtHAITyGmQjHmwWvrwODspMrrEN6KSrCT9cgKPE=";

class UserStoreTest : public ::testing::Test {
 protected:
  UserStoreTest() {
    auto opened = UserStore::open(dir_.path(), random_);
    EXPECT_TRUE(opened) << opened.error().message;
    if (opened) store_ = *std::move(opened);
  }
  static UserStore::Time at(int seconds) { return UserStore::Time(std::chrono::seconds(seconds)); }
  // A password whose making is quick.
  static NewPassword quick(std::string_view text) { return {text, "CRAM-MD5", true}; }

  std::vector<std::string> names(std::string_view mask = "*") {
    std::vector<std::string> found;
    const auto listed = store_->list(mask, [&found](const StoredUser& user) {
      found.push_back(user.name);
      return true;
    });
    EXPECT_TRUE(listed);
    return found;
  }
  std::string stored(std::string_view name) {
    EmbeddedPassdb passdb("embedded", dir_.path(), random_);
    return told(passdb, name);
  }
  StoreResult<ImportSummary> import(std::string_view text, bool replace = false) {
    return store_->import(text, {"CRYPT", true, replace}, at(9));
  }
  std::string import_error(std::string_view text) {
    const auto done = import(text);
    return done ? "imported" : done.error().message;
  }

  ScratchDir dir_;
  SystemRandom random_;
  std::unique_ptr<UserStore> store_;
};

TEST_F(UserStoreTest, MakesADatabaseThatOnlyItsOwnerReads) {
  for (const char* file : {"users.db", "users.db-wal", "users.db-shm", "secret.key"}) {
    struct stat status {};
    ASSERT_EQ(stat(dir_.file(file).c_str(), &status), 0) << file;
    EXPECT_EQ(status.st_mode & 07777, 0600u) << file;
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(UserStoreTest, KeepsAnAccountFromAddToRemove) {
  ASSERT_TRUE(store_->add("alice", {"secret", "SCRAM-SHA-256", false}, at(10)));
  const auto added = store_->show("alice");
  ASSERT_TRUE(added);
  EXPECT_TRUE(added->enabled);
  EXPECT_EQ(added->created, at(10));
  EXPECT_EQ(added->changed, at(10));
  EXPECT_THAT(added->schemes, ElementsAre("SCRAM-SHA-256"));

  ASSERT_TRUE(store_->set_password("alice", {"other", "scram-sha-256", true}, at(20)));
  const auto changed = store_->show("alice");
  EXPECT_EQ(changed->created, at(10));
  EXPECT_EQ(changed->changed, at(20));
  EXPECT_THAT(changed->schemes, ElementsAre("SCRAM-SHA-256", "CRAM-MD5"));

  ASSERT_TRUE(store_->set_enabled("alice", false, at(30)));
  ASSERT_TRUE(store_->set_enabled("alice", false, at(40)));
  EXPECT_FALSE(store_->show("alice")->enabled);
  EXPECT_EQ(store_->show("alice")->changed, at(30)) << "nothing changed at 40";
  ASSERT_TRUE(store_->set_enabled("alice", true, at(50)));
  EXPECT_TRUE(store_->show("alice")->enabled);

  ASSERT_TRUE(store_->remove("alice"));
  EXPECT_EQ(store_->show("alice").error().kind, Kind::kNoSuchAccount);
  EXPECT_EQ(stored("alice"), "unknown");
  ASSERT_TRUE(store_->add("alice", quick("third"), at(60)));
  EXPECT_THAT(store_->show("alice")->schemes, ElementsAre("CRAM-MD5"));
}

TEST_F(UserStoreTest, MakesTheDefaultSchemeAndACramMd5ContextOnlyWhereWanted) {
  ASSERT_TRUE(store_->add("alice", {"secret", "", false}, at(1)));
  EXPECT_THAT(stored("alice"), StartsWith("{ARGON2ID}$argon2id$"));
  EXPECT_THAT(store_->show("alice")->schemes, ElementsAre("ARGON2ID"));
  ASSERT_TRUE(store_->set_password("alice", {"secret", "", true}, at(1)));
  EXPECT_THAT(stored("alice"), HasSubstr(" {CRAM-MD5}"));
  ASSERT_TRUE(store_->set_password("alice", {"secret", "", false}, at(1)));
  EXPECT_THAT(stored("alice"), Not(HasSubstr("CRAM-MD5")));
}

TEST_F(UserStoreTest, RefusesWithTheMend) {
  ASSERT_TRUE(store_->add("alice", quick("x"), at(1)));
  EXPECT_EQ(store_->add("alice", quick("y"), at(1)).error().kind, Kind::kExists);
  EXPECT_EQ(store_->set_password("bob", quick("y"), at(1)).error().kind, Kind::kNoSuchAccount);
  EXPECT_EQ(store_->set_enabled("bob", true, at(1)).error().kind, Kind::kNoSuchAccount);
  EXPECT_EQ(store_->remove("bob").error().kind, Kind::kNoSuchAccount);
  for (const std::string& name : {std::string(), std::string("a\nb"), std::string(1025, 'a')}) {
    EXPECT_EQ(store_->add(name, quick("x"), at(1)).error().kind, Kind::kBadInput);
  }
  for (const char* password : {"", "a\tb"}) {
    EXPECT_EQ(store_->add("carol", quick(password), at(1)).error().kind, Kind::kBadInput);
  }
  const auto scheme = store_->add("carol", {"x", "ROT13", false}, at(1));
  EXPECT_EQ(scheme.error().kind, Kind::kBadInput);
  EXPECT_THAT(scheme.error().message, HasSubstr("ARGON2ID"));
  EXPECT_THAT(names(), ElementsAre("alice"));
}

TEST_F(UserStoreTest, ListsByNameAndMask) {
  for (const char* name : {"carol", "alice", "Bob@b.org"}) {
    ASSERT_TRUE(store_->add(name, quick("x"), at(1)));
  }
  EXPECT_THAT(names(), ElementsAre("Bob@b.org", "alice", "carol"));
  EXPECT_THAT(names("*@B.ORG"), ElementsAre("Bob@b.org"));
  EXPECT_THAT(names("c????"), ElementsAre("carol"));
  std::vector<std::string> first;
  ASSERT_TRUE(store_->list("*", [&first](const StoredUser& user) {
    first.push_back(user.name);
    return false;
  }));
  EXPECT_THAT(first, ElementsAre("Bob@b.org"));
}

TEST_F(UserStoreTest, ImportsAPasswdFile) {
  const std::string text = "# comment\nAlice:" + std::string(kHash) +
                           "\nbob:{PLAIN}pw:1000:100::/home/bob:/bin/sh:userdb_mail=x\r\n"
                           "carol:{CRAM-MD5.b64}0G1OGyb8yqSwthgBEyNAo1SyEVJxH7YEyj4DXnAVEWs=::::::"
                           "nologin\n";
  const auto done = import(text);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->added, 3u);
  EXPECT_THAT(done->dropped,
              ElementsAre(Pair("gid", 1), Pair("home", 1), Pair("uid", 1), Pair("userdb_*", 1)));
  EXPECT_EQ(stored("alice"), kHash);
  EXPECT_EQ(stored("bob"), "{PLAIN}pw");
  EXPECT_FALSE(store_->show("carol")->enabled);
  EXPECT_THAT(store_->show("carol")->schemes, ElementsAre("CRAM-MD5"));
  EXPECT_EQ(store_->show("bob")->created, at(9));
}

TEST_F(UserStoreTest, ImportsAllOrNothingAndNamesEveryBadLine) {
  const std::string good = "zoe:" + std::string(kHash) + "\n";
  const struct {
    const char* line;
    const char* why;
  } kCases[] = {
      {"a:{NO-SUCH}x", "unknown password scheme"},
      {"a:{SHA256}cut", "SHA256"},
      {"a:", "no password"},
      {"a", "no password"},
      {"a:{PLAIN}x::::::allow_nets=10.0.0.0/8", "allow_nets"},
      {"a:{PLAIN}x::::::user=b", "user="},
      {"a:{PLAIN}x::::::nodelay", "nodelay"},
      {"a:::::::nopassword", "nopassword"},
      {"a:{PLAIN}x::::::noauthenticate", "noauthenticate"},
      {"a:{PLAIN}x::::::proxy", "proxy"},
      {"a\tb:{PLAIN}x", "control character"},
      {"ZOE:{PLAIN}x", "twice"},
  };
  for (const auto& c : kCases) {
    const std::string error = import_error(good + c.line + "\n");
    EXPECT_THAT(error, HasSubstr("line 2: ")) << c.line;
    EXPECT_THAT(error, HasSubstr(c.why)) << c.line;
    EXPECT_THAT(names(), IsEmpty()) << c.line;
  }
  std::string many;
  for (int i = 0; i < 30; ++i) many += "a\n";
  EXPECT_THAT(import_error(many), HasSubstr("and 10 more"));
}

TEST_F(UserStoreTest, ImportsOverAnAccountOnlyWhenToldTo) {
  ASSERT_TRUE(import("alice:{PLAIN}one\n"));
  const auto again = import("bob:{PLAIN}one\nalice:{PLAIN}two\n");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, Kind::kExists);
  EXPECT_THAT(again.error().message, HasSubstr("line 2"));
  EXPECT_THAT(names(), ElementsAre("alice"));
  const auto over = import("bob:{PLAIN}one\nalice:{PLAIN}two::::::nologin\n", true);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->added, 1u);
  EXPECT_EQ(over->replaced, 1u);
  EXPECT_EQ(stored("alice"), "{PLAIN}two");
  EXPECT_FALSE(store_->show("alice")->enabled);
}

TEST_F(UserStoreTest, WorksBesideAnotherOne) {
  auto second = UserStore::open(dir_.path(), random_);
  ASSERT_TRUE(second);
  ASSERT_TRUE(store_->add("alice", quick("x"), at(1)));
  EXPECT_EQ((*second)->add("alice", quick("x"), at(1)).error().kind, Kind::kExists);
  ASSERT_TRUE((*second)->add("bob", quick("x"), at(1)));
  EXPECT_THAT(names(), ElementsAre("alice", "bob"));
}

TEST_F(UserStoreTest, SealsOnlyUnderTheKeyThatTheDatabaseDependsOn) {
  ASSERT_TRUE(store_->add("alice", quick("x"), at(1)));
  ASSERT_TRUE(store_->add("carol", quick("x"), at(1)));
  std::filesystem::remove(dir_.file("secret.key"));
  store_ = *UserStore::open(dir_.path(), random_);
  EXPECT_FALSE(std::filesystem::exists(dir_.file("secret.key"))) << "a lost key was hidden";
  const auto lost = store_->add("bob", quick("x"), at(1));
  ASSERT_FALSE(lost);
  EXPECT_THAT(lost.error().message, HasSubstr("--no-cram-md5"));
  EXPECT_THAT(names(), ElementsAre("alice", "carol"));

  dir_.write("secret.key", std::string(32, 'k'));
  chmod(dir_.file("secret.key").c_str(), 0600);
  const auto wrong = store_->set_password("alice", quick("x"), at(1));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, Kind::kBroken);

  // What needs no key goes on, and when nothing depends on the old key, a new one is taken.
  ASSERT_TRUE(store_->set_password("alice", {"x", "SCRAM-SHA-256", false}, at(1)));
  ASSERT_TRUE(store_->remove("carol"));
  ASSERT_TRUE(store_->add("bob", quick("x"), at(1)));
  EXPECT_THAT(stored("bob"), StartsWith("{CRAM-MD5}"));
}

TEST_F(UserStoreTest, SaysWhatIsWrongWithTheDirectory) {
  const auto missing = UserStore::open(dir_.file("none"), random_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Kind::kCantCreate);
  EXPECT_THAT(missing.error().message, HasSubstr("state directory"));

  store_.reset();
  chmod(dir_.path().c_str(), 0700);
  if (geteuid() != 0) return;  // the rest needs a second user
  EXPECT_EQ(as_nobody([this] {
              const auto denied = UserStore::open(dir_.path(), random_);
              return !denied && denied.error().kind == Kind::kPermission ? 0 : 1;
            }),
            0);
}

TEST_F(UserStoreTest, BelongsToTheOwnerOfTheDirectoryWhenRootMakesIt) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  const ScratchDir other;
  ASSERT_EQ(chown(other.path().c_str(), kNobody, kNobody), 0);
  const auto store = UserStore::open(other.path(), random_);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->add("alice", quick("x"), at(1)));
  for (const char* file : {"users.db", "users.db-wal", "users.db-shm", "secret.key"}) {
    struct stat status {};
    ASSERT_EQ(stat(other.file(file).c_str(), &status), 0) << file;
    EXPECT_EQ(status.st_uid, kNobody) << file;
  }
}

TEST(SchemeOf, NamesTheSchemeWithoutItsEncoding) {
  EXPECT_EQ(scheme_of("{ssha256.hex}00"), "SSHA256");
  EXPECT_EQ(scheme_of("{PLAIN}"), "PLAIN");
  EXPECT_EQ(scheme_of("$6$x"), "");
  EXPECT_TRUE(is_password_equivalent("{plain.b64}eA=="));
  EXPECT_TRUE(is_password_equivalent("{PLAIN}x"));
  EXPECT_FALSE(is_password_equivalent(kHash));
}

}  // namespace
}  // namespace saslatch::passdb
