// Authorization codes from their text to the verdict: one database, the store that changes it, and
// the verifier that a login asks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <set>

#include "daemon/passdb/code_book.h"
#include "daemon/passdb/code_store.h"
#include "daemon/passdb/code_text.h"
#include "daemon/passdb/codes_db.h"
#include "daemon/passdb/embedded.h"
#include "daemon/passdb/passwd_file.h"
#include "daemon/passdb/user_store.h"
#include "daemon/passdb/users_db.h"
#include "daemon/passdb/verifier.h"
#include "protocol/base/crypto/digest.h"
#include "protocol/base/crypto/system_random.h"
#include "tests/daemon/audit/recording_log.h"
#include "tests/daemon/passdb/scratch_dir.h"
#include "tests/daemon/passdb/scripted.h"

namespace saslatch::passdb {
namespace {

using namespace std::chrono_literals;
using Kind = StoreError::Kind;
using Outcome = CheckResult::Outcome;
using Why = Spent::Why;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kMost = 25;
const CodeStore::Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 7 / 1) + 9h;

std::string normal(std::string_view typed) {
  const auto code = normalise_code(typed);
  return code ? std::string(code->reveal()) : "no code";
}

TEST(CodeText, IsReadHoweverItIsTyped) {
  struct Case {
    const char* typed;
    const char* read;
  };
  const Case cases[] = {
      {"7k4m-q2xd-9s0f-b3hw", "7k4mq2xd9s0fb3hw"},
      {"7K4M Q2XD 9S0F B3HW", "7k4mq2xd9s0fb3hw"},
      {" 7k4mq2xd9s0fb3hw ", "7k4mq2xd9s0fb3hw"},
      {"7k4m-q2xd-9sof-b3hw", "7k4mq2xd9s0fb3hw"},
      {"1k4m-q2xd-9s0f-b3hw", "1k4mq2xd9s0fb3hw"},
      {"lk4m-q2xd-9s0f-b3hw", "1k4mq2xd9s0fb3hw"},
      {"Ik4m-q2xd-9s0f-b3hw", "1k4mq2xd9s0fb3hw"},
      {"7k4m-q2xd-9s0f-b3h", "no code"},
      {"7k4m-q2xd-9s0f-b3hwx", "no code"},
      {"7k4m-q2xd-9s0f-b3hu", "no code"},
      {"7k4m_q2xd_9s0f_b3hw", "no code"},
      {"correct horse battery staple", "no code"},
      {"", "no code"},
      {"                ", "no code"},
  };
  for (const Case& c : cases) EXPECT_EQ(normal(c.typed), c.read) << c.typed;
  EXPECT_EQ(normal(std::string(1000, '-') + "7k4mq2xd9s0fb3hw"), "no code");
}

TEST(CodeText, IsShownInFourGroupsOfAnUnambiguousAlphabet) {
  SystemRandom random;
  std::set<char> seen;
  for (int i = 0; i < 200; ++i) {
    const Secret code = make_code(random);
    ASSERT_THAT(std::string(code.reveal()),
                ::testing::MatchesRegex("[0-9a-z]{4}(-[0-9a-z]{4}){3}"));
    const std::string bare = normal(code.reveal());
    ASSERT_EQ(bare.size(), kCodeSize) << "what is shown must be read as it is";
    seen.insert(bare.begin(), bare.end());
    EXPECT_EQ(spellings_of(code)[1].reveal(), bare);
  }
  EXPECT_EQ(seen.size(), 32u) << "80 bits need all 32 characters";
  for (const char ambiguous : {'i', 'l', 'o', 'u'}) EXPECT_FALSE(seen.contains(ambiguous));
}

class CodesTest : public ::testing::Test {
 protected:
  CodesTest() {
    users_ = *UserStore::open(dir_.path(), random_);
    codes_ = *CodeStore::open(dir_.path(), random_);
    EXPECT_TRUE(users_->add("alice", {"main", "CRAM-MD5", true}, kNow));
  }

  static NewCode labelled(const std::string& label, const std::string& account = "alice") {
    NewCode code;
    code.account = account;
    code.label = label;
    code.created_by = "root";
    code.with_cram_md5 = true;
    return code;
  }
  // The text of a new code.
  std::string add(const NewCode& code) {
    auto made = codes_->add({&code, 1}, kMost, kNow);
    if (!made) return "error: " + made.error().message;
    return std::string(made->front().code.reveal());
  }
  std::vector<StoredCode> listed(const std::string& account = "alice") {
    auto all = codes_->list(account, now_);
    EXPECT_TRUE(all);
    return all ? *std::move(all) : std::vector<StoredCode>{};
  }

  // Made anew for each question, so that nothing is known from before.
  CheckResult check(const std::string& name, const std::string& password, bool cram_md5 = false) {
    if (!verifier_) {
      std::vector<std::shared_ptr<Passdb>> chain;
      if (front_) chain.push_back(front_);
      chain.push_back(std::make_shared<EmbeddedPassdb>("embedded", dir_.path(), random_));
      verifier_.emplace(chain, log_, random_, 0ms, CodeRules{book_, site_});
    }
    CheckRequest request;
    request.username = name;
    request.rip = IpAddress::parse(rip_);
    request.service = service_;
    request.wall = now_;
    request.main_password_only = main_password_only_;
    if (cram_md5) {
      request.credential =
          CramMd5Credential{"<1.2@host>", hmac(Hash::kMd5, password, "<1.2@host>")};
    } else {
      request.credential = PasswordCredential{Secret(password)};
    }
    std::optional<CheckResult> result;
    verifier_->check(request, [&](CheckResult r) { result = std::move(r); });
    if (result && result->code) verifier_->note_use(request, *result);
    if (result) later_ = verifier_->recognise_later(request, *result);
    return *std::move(result);
  }
  // The verdict in words: "ok CREDENTIAL", "no", "no WHY CREDENTIAL", "disabled ...", "down".
  std::string told(const std::string& name, const std::string& password, bool cram_md5 = false) {
    const CheckResult result = check(name, password, cram_md5);
    const std::string spent = result.spent ? " " + std::string(to_string(result.spent->why)) + " " +
                                                 result.spent->credential
                                           : "";
    switch (result.outcome) {
      case Outcome::kOk:
        return "ok " + result.credential;
      case Outcome::kBadCredential:
        return "no" + spent;
      case Outcome::kDisabled:
        return "disabled" + spent;
      case Outcome::kUnknownUser:
        return "unknown";
      case Outcome::kUnavailable:
        return "down";
      case Outcome::kRefused:
        break;
    }
    return "refused";
  }

  ScratchDir dir_;
  SystemRandom random_;
  RecordingLog log_;
  std::unique_ptr<UserStore> users_;
  std::unique_ptr<CodeStore> codes_;
  std::shared_ptr<CodeBook> book_ = std::make_shared<CodeBook>(dir_.path());
  std::shared_ptr<Passdb> front_;  // asked before `embedded`
  password::MainPasswordRules site_;
  std::optional<Verifier> verifier_;
  std::optional<Spent> later_;
  CodeStore::Time now_ = kNow;
  std::string rip_ = "192.0.2.7";
  std::string service_ = "smtp";
  bool main_password_only_ = false;
};

TEST_F(CodesTest, LetInLikeThePasswordByEveryMechanism) {
  const std::string phone = add(labelled("Phone"));
  const std::string laptop = add(labelled("Laptop"));
  for (const bool cram_md5 : {false, true}) {
    SCOPED_TRACE(cram_md5 ? "CRAM-MD5" : "PLAIN");
    EXPECT_EQ(told("alice", phone, cram_md5), "ok code:1 Phone");
    EXPECT_EQ(told("alice", laptop, cram_md5), "ok code:2 Laptop");
    EXPECT_EQ(told("alice", normal(laptop), cram_md5), "ok code:2 Laptop");
    EXPECT_EQ(told("alice", "main", cram_md5), "ok password");
    EXPECT_EQ(told("alice", "0000-0000-0000-0000", cram_md5), "no");
    EXPECT_EQ(told("alice", "", cram_md5), "no");
  }
}

TEST_F(CodesTest, AreOfOneAccountOnly) {
  ASSERT_TRUE(users_->add("bob", {"other", "CRAM-MD5", true}, kNow));
  const std::string code = add(labelled("Phone"));
  add(labelled("Phone", "bob"));
  EXPECT_EQ(told("bob", code), "no");
  EXPECT_EQ(told("bob", code, true), "no");
  EXPECT_EQ(told("nobody", code), "unknown");
}

TEST_F(CodesTest, WorkForAccountsOfAPasswdFile) {
  dir_.write("users", "carol:{PLAIN}main\ncarla:{PLAIN}x::::::user=carol\n");
  const auto file = std::make_shared<PasswdFilePassdb>(
      PasswdFileOptions{"file", dir_.file("users"), "PLAIN", true}, log_, random_);
  file->refresh(std::chrono::steady_clock::time_point{1s});
  front_ = file;
  const std::string code = add(labelled("Phone", "carol"));
  EXPECT_EQ(told("carol", code), "ok code:1 Phone");
  EXPECT_EQ(told("carol", code, true), "ok code:1 Phone");
  EXPECT_EQ(told("carla", code), "ok code:1 Phone") << "another name of the same account";
  EXPECT_EQ(told("carol", "main"), "ok password");
}

TEST_F(CodesTest, WorkForAccountsThatAreJudgedElsewhere) {
  const auto judge = std::make_shared<ScriptedAuthenticator>();
  const auto elsewhere = std::make_shared<ScriptedPassdb>("elsewhere");
  for (const std::string name : {"dora", "maybe"}) {
    elsewhere->set(name, {}, [judge, name](Account& account) {
      account.authenticator = judge;
      account.is_presumed = name == "maybe";
    });
  }
  front_ = elsewhere;
  const std::string dora = add(labelled("Phone", "dora"));
  const std::string maybe = add(labelled("Phone", "maybe"));
  EXPECT_EQ(told("dora", dora), "ok code:1 Phone");
  EXPECT_EQ(told("dora", dora, true), "ok code:1 Phone");
  EXPECT_EQ(told("dora", "main"), "ok password");
  ASSERT_TRUE(codes_->revoke("dora", 1, now_));
  EXPECT_EQ(told("dora", dora), "no revoked code:1 Phone");
  EXPECT_THAT(judge->asked, ElementsAre("main")) << "a code was shown to somebody else";

  judge->asked.clear();
  EXPECT_EQ(told("maybe", maybe), "ok code:1 Phone");
  judge->says.verdict = ProofVerdict::kDisabled;
  EXPECT_EQ(told("maybe", maybe), "disabled");
  judge->says.verdict = ProofVerdict::kUnknownUser;
  EXPECT_EQ(told("maybe", maybe), "unknown");
  judge->says.verdict = ProofVerdict::kUnavailable;
  EXPECT_EQ(told("maybe", maybe), "down");
  EXPECT_THAT(judge->asked, ElementsAre("-", "-", "-", "-"));

  judge->says.verdict = ProofVerdict::kRight;
  site_ = *password::MainPasswordRules::parse("refused");
  verifier_.reset();
  EXPECT_EQ(told("dora", "main"), "no main-password password");
}

TEST_F(CodesTest, AreBoundToWhatTheyWereMadeFor) {
  NewCode code = labelled("Scanner");
  code.services = {"smtp", "submission"};
  code.networks = {*Network::parse("192.0.2.0/24"), *Network::parse("2001:db8::/32")};
  code.expires = kNow + 24h;
  const std::string text = add(code);
  for (const bool cram_md5 : {false, true}) {
    SCOPED_TRACE(cram_md5 ? "CRAM-MD5" : "PLAIN");
    now_ = kNow;
    EXPECT_EQ(told("alice", text, cram_md5), "ok code:1 Scanner");
    service_ = "SMTP";
    EXPECT_EQ(told("alice", text, cram_md5), "ok code:1 Scanner");
    service_ = "imap";
    EXPECT_EQ(told("alice", text, cram_md5), "no service code:1 Scanner");
    service_ = "smtp";
    rip_ = "198.51.100.1";
    EXPECT_EQ(told("alice", text, cram_md5), "no network code:1 Scanner");
    rip_ = "";
    EXPECT_EQ(told("alice", text, cram_md5), "no network code:1 Scanner");
    rip_ = "2001:db8::1";
    EXPECT_EQ(told("alice", text, cram_md5), "ok code:1 Scanner");
    rip_ = "192.0.2.7";
    now_ = kNow + 24h - 1s;
    EXPECT_EQ(told("alice", text, cram_md5), "ok code:1 Scanner");
    now_ = kNow + 24h;
    EXPECT_EQ(told("alice", text, cram_md5), "no expired code:1 Scanner");
  }
}

TEST_F(CodesTest, AreRevokedForTheVeryNextAttempt) {
  const std::string phone = add(labelled("Phone"));
  const std::string laptop = add(labelled("Laptop"));
  EXPECT_EQ(told("alice", phone), "ok code:1 Phone");
  ASSERT_TRUE(codes_->revoke("alice", 1, now_));
  EXPECT_EQ(told("alice", phone), "no revoked code:1 Phone");
  EXPECT_EQ(told("alice", phone, true), "no revoked code:1 Phone");
  EXPECT_EQ(told("alice", laptop), "ok code:2 Laptop");
  ASSERT_TRUE(codes_->revoke("alice", 1, now_)) << "twice is no error";
  ASSERT_EQ(codes_->revoke_all("alice", now_).value(), 1u);
  EXPECT_EQ(told("alice", laptop), "no revoked code:2 Laptop");
  EXPECT_EQ(codes_->revoke("alice", 9, now_).error().kind, Kind::kBadInput);
  EXPECT_EQ(codes_->revoke("nobody", 1, now_).error().kind, Kind::kBadInput);
  EXPECT_EQ(add(labelled("Phone")).size(), 19u);
  EXPECT_EQ(listed().back().id, 3u) << "no number is given twice";
}

TEST_F(CodesTest, LetNobodyIntoADisabledOrDeletedAccount) {
  const std::string code = add(labelled("Phone"));
  ASSERT_TRUE(users_->set_enabled("alice", false, kNow));
  EXPECT_EQ(told("alice", code), "disabled");
  EXPECT_EQ(told("alice", "main"), "disabled");
  ASSERT_TRUE(users_->set_enabled("alice", true, kNow));
  EXPECT_EQ(told("alice", code), "ok code:1 Phone");
  ASSERT_TRUE(users_->remove("alice"));
  EXPECT_EQ(told("alice", code), "unknown");
  ASSERT_TRUE(users_->add("alice", {"new", "CRAM-MD5", true}, kNow));
  EXPECT_EQ(told("alice", code), "no") << "the next owner of the name met the last one's code";
}

TEST_F(CodesTest, GoWithTheMainPasswordUnlessTheyAreKept) {
  const std::string code = add(labelled("Phone"));
  EXPECT_EQ(users_->set_password("alice", {"second", "CRAM-MD5", true}, kNow, true).value(), 0u);
  EXPECT_EQ(told("alice", code), "ok code:1 Phone");
  EXPECT_EQ(users_->set_password("alice", {"third", "CRAM-MD5", true}, kNow).value(), 1u);
  EXPECT_EQ(told("alice", code), "no revoked code:1 Phone");
  EXPECT_EQ(told("alice", "third"), "ok password");
}

TEST_F(CodesTest, OutliveAnImportThatChangesNoPassword) {
  const std::string file = "alice:{PLAIN}main\ndave:{SSHA}XkjuLn8nRHWHhKqVYEdrh/ZGpvBzYWx0\n";
  const ImportOptions replace{"CRYPT", true, true};
  ASSERT_TRUE(users_->import(file, replace, kNow));
  const std::string alice = add(labelled("Phone"));
  const std::string dave = add(labelled("Phone", "dave"));
  EXPECT_EQ(users_->import(file, replace, kNow)->codes_revoked, 0u);
  EXPECT_EQ(told("alice", alice), "ok code:1 Phone");
  EXPECT_EQ(told("dave", dave), "ok code:1 Phone");
  EXPECT_EQ(users_->import("alice:{PLAIN}other\n", replace, kNow)->codes_revoked, 1u);
  EXPECT_EQ(told("alice", alice), "no revoked code:1 Phone");
}

TEST_F(CodesTest, OldMainPasswordsAreRecognisedAndLetNobodyIn) {
  ASSERT_TRUE(users_->set_password("alice", {"second", "CRAM-MD5", true}, kNow));
  EXPECT_EQ(told("alice", "main"), "no old-password password");
  EXPECT_EQ(told("alice", "main", true), "no old-password password");
  EXPECT_EQ(told("alice", "guess"), "no");
  now_ = kNow + kStaleFor;
  EXPECT_EQ(told("alice", "main"), "no") << "remembered for longer than it should be";
  now_ = kNow;
  ASSERT_TRUE(users_->set_password("alice", {"main", "CRAM-MD5", true}, kNow));
  EXPECT_EQ(told("alice", "main"), "ok password") << "it is the main password again";
}

TEST_F(CodesTest, OldHashesAreComparedOnceBehindTheAnswer) {
  ASSERT_TRUE(users_->add("eve", {"first", "SCRAM-SHA-256", false}, kNow));
  ASSERT_TRUE(users_->set_password("eve", {"second", "SCRAM-SHA-256", false}, kNow));
  EXPECT_EQ(told("eve", "first"), "no") << "the answer must not wait for another hash";
  ASSERT_TRUE(later_);
  EXPECT_EQ(later_->why, Why::kOldPassword);
  EXPECT_EQ(told("eve", "first"), "no old-password password") << "now it is quick";
  EXPECT_FALSE(later_);
  ASSERT_TRUE(users_->set_password("eve", {"third", "SCRAM-SHA-256", false}, kNow));
  for (int i = 0; i < CodeBook::kSlowPerHour; ++i) told("eve", "guess " + std::to_string(i));
  told("eve", "second");
  EXPECT_FALSE(later_) << "guesses must not cost us two hashes each for ever";
  now_ += 61min;
  told("eve", "second");
  EXPECT_TRUE(later_);
}

TEST_F(CodesTest, MainPasswordIsRefusedWhereOnlyCodesLetIn) {
  const auto rules = [](std::string_view text) {
    return *password::MainPasswordRules::parse(text);
  };
  site_ = rules("allowed smtp:refused-if-codes");
  EXPECT_EQ(told("alice", "main"), "ok password") << "it has no code yet";
  const std::string code = add(labelled("Phone"));
  for (const bool cram_md5 : {false, true}) {
    SCOPED_TRACE(cram_md5 ? "CRAM-MD5" : "PLAIN");
    EXPECT_EQ(told("alice", "main", cram_md5), "no main-password password");
    EXPECT_EQ(told("alice", code, cram_md5), "ok code:1 Phone");
  }
  service_ = "imap";
  EXPECT_EQ(told("alice", "main"), "ok password");
  service_ = "smtp";
  ASSERT_TRUE(codes_->set_main_password("alice", "allowed", kNow));
  EXPECT_EQ(told("alice", "main"), "ok password") << "its own word goes first";
  ASSERT_TRUE(codes_->set_main_password("alice", "refused imap:allowed", kNow));
  ASSERT_TRUE(codes_->revoke_all("alice", kNow));
  EXPECT_EQ(told("alice", "main"), "no main-password password");
  EXPECT_EQ(told("alice", "guess"), "no");
  service_ = "imap";
  EXPECT_EQ(told("alice", "main"), "ok password");
  service_ = "smtp";
  ASSERT_TRUE(codes_->set_main_password("alice", "", kNow));
  EXPECT_EQ(told("alice", "main"), "ok password") << "no usable code is left";
  ASSERT_TRUE(codes_->set_main_password("alice", "nonsense", kNow));
  EXPECT_EQ(told("alice", "main"), "no main-password password") << "it failed open";
}

TEST_F(CodesTest, CannotProveTheOwnerToTheSelfServiceDoor) {
  site_ = *password::MainPasswordRules::parse("refused");
  const std::string code = add(labelled("Phone"));
  main_password_only_ = true;
  EXPECT_EQ(told("alice", code), "no");
  EXPECT_EQ(told("alice", "main"), "ok password");
  const auto stamp = [this] {
    std::string found;
    verifier_->find_stamp("alice", {}, [&found](std::string now) { found = std::move(now); });
    return found;
  };
  const std::string proven = stamp();
  EXPECT_FALSE(proven.empty());
  EXPECT_EQ(stamp(), proven);
  ASSERT_TRUE(users_->set_password("alice", {"second", "CRAM-MD5", true}, kNow));
  EXPECT_NE(stamp(), proven);
}

TEST_F(CodesTest, AreListedWithTheirLastUse) {
  NewCode code = labelled("Scanner");
  code.networks = {*Network::parse("192.0.2.0/24")};
  code.services = {"smtp"};
  const std::string text = add(code);
  EXPECT_FALSE(listed().front().last_used);
  now_ += 5s;
  EXPECT_EQ(told("alice", text), "ok code:1 Scanner");
  EXPECT_FALSE(check("alice", text).code->used) << "written in the login's way";
  ASSERT_TRUE(book_->flush());
  const auto all = listed();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].label, "Scanner");
  EXPECT_EQ(all[0].created_by, "root");
  EXPECT_THAT(all[0].services, ElementsAre("smtp"));
  EXPECT_THAT(all[0].networks, ElementsAre("192.0.2.0/24"));
  ASSERT_TRUE(all[0].last_used);
  EXPECT_EQ(all[0].last_used->at, now_);
  EXPECT_EQ(all[0].last_used->rip, "192.0.2.7");
  EXPECT_EQ(all[0].last_used->service, "smtp");
  now_ += 30s;
  rip_ = "192.0.2.8";
  told("alice", text);
  ASSERT_TRUE(book_->flush());
  EXPECT_EQ(listed()[0].last_used->rip, "192.0.2.7") << "each login became a write";
}

TEST_F(CodesTest, AreKnownDevicesOnceUsed) {
  const std::string text = add(labelled("Phone"));
  book_->refresh();
  told("alice", "x");  // makes the verifier
  CheckRequest request;
  request.username = "alice";
  request.wall = now_;
  request.credential = PasswordCredential{Secret(text)};
  std::optional<CodeBook::Time> used;
  const auto ask = [&] {
    EXPECT_TRUE(verifier_->may_be_code(request));
    verifier_->find_device(request, [&used](auto found) { used = found; });
    return used.has_value();
  };
  EXPECT_FALSE(ask());
  told("alice", text);
  ASSERT_TRUE(book_->flush());
  EXPECT_TRUE(ask());
  ASSERT_TRUE(codes_->revoke("alice", 1, now_));
  EXPECT_FALSE(ask()) << "a revoked code is nobody's device";
  request.credential = PasswordCredential{Secret("an ordinary password")};
  EXPECT_FALSE(verifier_->may_be_code(request));
}

TEST_F(CodesTest, AreAtMostSoManyAnAccount) {
  for (int i = 1; i <= kMost; ++i) ASSERT_EQ(add(labelled("n" + std::to_string(i))).size(), 19u);
  EXPECT_THAT(add(labelled("one more")), HasSubstr("max-per-account"));
  ASSERT_TRUE(codes_->revoke("alice", 3, kNow));
  EXPECT_EQ(add(labelled("one more")).size(), 19u);
  EXPECT_THAT(listed(), SizeIs(kMost + 1));
}

TEST_F(CodesTest, AreForgottenSomeTimeAfterTheirEnd) {
  NewCode expiring = labelled("expiring");
  expiring.expires = kNow + 1h;
  add(expiring);
  add(labelled("revoked"));
  add(labelled("kept"));
  ASSERT_TRUE(codes_->revoke("alice", 2, kNow));
  EXPECT_THAT(listed(), SizeIs(3));
  ASSERT_TRUE(codes_->revoke("alice", 2, kNow + kStaleFor + 2h));
  const auto left = listed();
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].label, "kept");
  for (int i = 0; i < 60; ++i) {
    add(labelled("churn"));
    ASSERT_TRUE(codes_->revoke_all("alice", kNow + std::chrono::seconds(i)));
  }
  EXPECT_LE(listed().size(), static_cast<size_t>(kMaxStaleCodes));
}

TEST_F(CodesTest, RefuseWhatCannotBeKept) {
  EXPECT_THAT(add(labelled("")), HasSubstr("a label has 1 to 64"));
  EXPECT_THAT(add(labelled(std::string(65, 'x'))), HasSubstr("a label has"));
  EXPECT_THAT(add(labelled("two\nlines")), HasSubstr("control characters"));
  EXPECT_THAT(add(labelled("x", "")), HasSubstr("a name has"));
  NewCode code = labelled("x");
  code.networks.assign(CodeStore::kMaxNetworks + 1, *Network::parse("192.0.2.0/24"));
  EXPECT_THAT(add(code), HasSubstr("networks"));
  // One wrong one, and none is made.
  const std::vector<NewCode> several = {labelled("good"), labelled("")};
  EXPECT_FALSE(codes_->add(several, kMost, kNow));
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_F(CodesTest, AreWorthNothingWithoutTheKey) {
  const std::string code = add(labelled("Phone"));
  std::filesystem::remove(dir_.file("secret.key"));
  book_ = std::make_shared<CodeBook>(dir_.path());
  book_->refresh();
  EXPECT_EQ(told("alice", code), "down") << "our trouble is held against nobody";
  EXPECT_EQ(told("alice", "guess"), "down") << "{CRAM-MD5} is sealed too";
  const NewCode another = labelled("x");
  EXPECT_THAT(codes_->add({&another, 1}, kMost, kNow).error().message, HasSubstr("secret.key"))
      << "a second key would have buried the first code";
}

TEST_F(CodesTest, ABrokenDatabaseClosesTheAccountsThatHadSomething) {
  dir_.write("users", "carol:{PLAIN}main\ndora:{PLAIN}main\n");
  const auto file = std::make_shared<PasswdFilePassdb>(
      PasswdFileOptions{"file", dir_.file("users"), "PLAIN", true}, log_, random_);
  file->refresh(std::chrono::steady_clock::time_point{1s});
  front_ = file;
  ASSERT_TRUE(codes_->set_main_password("carol", "refused", kNow));
  book_->refresh();
  codes_.reset();
  users_.reset();
  for (const char* left : {"users.db-wal", "users.db-shm"}) {
    std::filesystem::remove(dir_.file(left));
  }
  dir_.replace("users.db", std::string(4096, 'x'));
  EXPECT_EQ(told("carol", "main"), "down") << "her own word could not be read";
  EXPECT_EQ(told("dora", "main"), "ok password");
}

TEST_F(CodesTest, KnowFromMemoryWhoHasNone) {
  EXPECT_TRUE(book_->is_empty());
  add(labelled("Phone"));
  EXPECT_FALSE(book_->knows_all());
  ASSERT_TRUE(book_->refresh());
  EXPECT_TRUE(book_->knows_all());
  EXPECT_TRUE(book_->may_know("alice"));
  EXPECT_FALSE(book_->may_know("bob"));
  add(labelled("Phone", "bob"));
  EXPECT_FALSE(book_->knows_all());
  ASSERT_TRUE(book_->refresh());
  EXPECT_TRUE(book_->may_know("bob"));
}

// What version 1 of the schema was, as far as an account is in it.
constexpr char kVersionOne[] = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)), created INTEGER NOT NULL,
  changed INTEGER NOT NULL) STRICT;
CREATE TABLE credentials (account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  serial INTEGER NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('hash', 'sealed')),
  scheme TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (account, serial)) STRICT, WITHOUT ROWID;
INSERT INTO accounts VALUES (1, 'old', 1, 1000, 1000);
INSERT INTO credentials VALUES (1, 1, 'hash', 'SHA256',
  CAST('{SHA256}qaiXMtHAITyGmQjHmwWvrwODspMrrEN6KSrCT9cgKPE=' AS BLOB));
PRAGMA application_id = 1398895468;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
)sql";

TEST_F(CodesTest, ADatabaseOfTheLastVersionIsUpgradedWithItsAccounts) {
  const ScratchDir old;
  {
    auto made = Database::open(users_db_path(old.path()),
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 1000ms);
    ASSERT_TRUE(made);
    ASSERT_TRUE(made->run(kVersionOne));
  }
  CodeBook book(old.path());
  EXPECT_FALSE(book.find("old", ShownPassword{"x"}, kNow).has_codes);
  EXPECT_TRUE(book.find("old", ShownPassword{"x"}, kNow).trouble.empty()) << "version 1 has none";
  EmbeddedPassdb passdb("embedded", old.path(), random_);
  EXPECT_TRUE(passdb.check_usable());
  ASSERT_TRUE(passdb.prepare()) << "what a daemon does at its start";
  auto users = UserStore::open(old.path(), random_);
  ASSERT_TRUE(users) << users.error().message;
  EXPECT_THAT((*users)->show("old")->schemes, ElementsAre("SHA256"));
  auto codes = CodeStore::open(old.path(), random_);
  const NewCode code = labelled("Phone", "old");
  EXPECT_TRUE((*codes)->add({&code, 1}, kMost, kNow));
  EXPECT_TRUE(book.find("old", ShownPassword{"x"}, kNow).has_codes);
}

TEST_F(CodesTest, AreWholeOrAbsentAfterKillNine) {
  constexpr int kCodes = 1000;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    auto store = CodeStore::open(dir_.path(), random_);
    for (int i = 0; store && i < kCodes; ++i) {
      const NewCode code = labelled("c" + std::to_string(i), "user" + std::to_string(i % 50));
      const auto made = (*store)->add({&code, 1}, kMost, kNow);
      if (!made) _exit(1);
      const std::string line = code.account + " " + std::string(made->front().code.reveal()) + "\n";
      if (write(ends[1], line.data(), line.size()) < 0) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string answered;
  char piece[256];
  // Killed in the middle of what it does, after a good share of the thousand.
  while (std::count(answered.begin(), answered.end(), '\n') < 150) {
    const ssize_t got = read(ends[0], piece, sizeof piece);
    ASSERT_GT(got, 0) << "the child ended by itself";
    answered.append(piece, static_cast<size_t>(got));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (ssize_t got = 0; (got = read(ends[0], piece, sizeof piece)) > 0;) {
    answered.append(piece, static_cast<size_t>(got));
  }
  close(ends[0]);

  const CodeBook book(dir_.path());
  size_t lines = 0;
  for (size_t begin = 0; begin < answered.size(); ++lines) {
    const size_t end = answered.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string line = answered.substr(begin, end - begin);
    begin = end + 1;
    const size_t blank = line.find(' ');
    const CodeFacts facts =
        book.find(line.substr(0, blank), ShownPassword{line.substr(blank + 1)}, kNow);
    ASSERT_TRUE(facts.found) << "an answered code is lost: " << line;
  }
  auto store = CodeStore::open(dir_.path(), random_);
  ASSERT_TRUE(store) << store.error().message;
  size_t kept = 0;
  for (int i = 0; i < 50; ++i) {
    const auto codes = (*store)->list("user" + std::to_string(i), kNow);
    ASSERT_TRUE(codes);
    for (const StoredCode& code : *codes) {
      EXPECT_TRUE(code.cram_md5 && !code.label.empty()) << "half a code";
    }
    kept += codes->size();
  }
  EXPECT_GE(kept, lines);
  EXPECT_LE(kept, lines + 1) << "at most one was whole and not yet told of";
}

TEST(MainPasswordRules, AreReadAndWritten) {
  struct Case {
    const char* text;
    const char* read;
  };
  const Case cases[] = {
      {"allowed", "allowed"},
      {"refused", "refused"},
      {"refused-if-codes", "refused-if-codes"},
      {"smtp:refused", "allowed smtp:refused"},
      {"refused, IMAP:allowed", "refused imap:allowed"},
      {"smtp:refused allowed  imap:refused-if-codes", "allowed smtp:refused imap:refused-if-codes"},
  };
  for (const Case& c : cases) {
    const auto rules = password::MainPasswordRules::parse(c.text);
    ASSERT_TRUE(rules) << c.text;
    EXPECT_EQ(rules->to_string(), c.read);
    EXPECT_EQ(*password::MainPasswordRules::parse(rules->to_string()), *rules);
  }
  for (const char* wrong : {"", " ", "forbidden", "refused allowed", "smtp:", ":refused",
                            "smtp:refused smtp:allowed", "sm tp:refused", "smtp:no"}) {
    EXPECT_FALSE(password::MainPasswordRules::parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace saslatch::passdb
