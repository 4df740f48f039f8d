#include "daemon/passdb/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include "daemon/password/create.h"
#include "daemon/password/dummy.h"
#include "daemon/password/verdict_cache.h"
#include "protocol/base/base64.h"
#include "protocol/base/crypto/cram_md5_context.h"
#include "protocol/base/crypto/digest.h"
#include "tests/daemon/audit/recording_log.h"
#include "tests/daemon/passdb/lookups.h"
#include "tests/daemon/passdb/scripted.h"
#include "tests/daemon/password/seeded_random.h"

namespace saslatch::passdb {
namespace {

using Outcome = CheckResult::Outcome;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VerifierTest : public ::testing::Test {
 protected:
  VerifierTest() {
    first_->typical = {"{PLAIN}typical", 10};
    second_->typical = {"{PLAIN}typical", 10};
  }

  static CheckRequest password(std::string_view name, std::string_view word) {
    CheckRequest request;
    request.username = name;
    request.rip = IpAddress::parse("192.0.2.1");
    request.credential = PasswordCredential{Secret(word)};
    return request;
  }
  static CheckRequest cram_md5(std::string_view name, std::string_view word) {
    CheckRequest request = password(name, "");
    request.credential = CramMd5Credential{"<1.2@host>", hmac(Hash::kMd5, word, "<1.2@host>")};
    return request;
  }
  CheckResult check(CheckRequest request) {
    std::optional<CheckResult> result;
    request.now = now_;
    verifier().check(std::move(request), [&result](CheckResult r) { result = std::move(r); });
    EXPECT_TRUE(result) << "not answered";
    return std::move(result).value_or(CheckResult{});
  }
  Outcome outcome(CheckRequest request) { return check(std::move(request)).outcome; }

  const Verifier& verifier() {
    if (!verifier_) {
      verifier_.emplace(std::vector<std::shared_ptr<Passdb>>{first_, second_}, log_, random_);
    }
    return *verifier_;
  }

  std::shared_ptr<ScriptedPassdb> first_ = std::make_shared<ScriptedPassdb>("first");
  std::shared_ptr<ScriptedPassdb> second_ = std::make_shared<ScriptedPassdb>("second");
  RecordingLog log_;
  saslatch::password::SeededRandom random_;
  std::chrono::steady_clock::time_point now_{seconds(1000)};
  std::optional<Verifier> verifier_;
};

TEST_F(VerifierTest, LetsTheFirstPassdbThatKnowsTheUserDecide) {
  first_->set("alice", {"{PLAIN}one"});
  second_->set("alice", {"{PLAIN}two"});
  second_->set("bob", {"{PLAIN}two"});

  const CheckResult ok = check(password("alice", "one"));
  EXPECT_EQ(ok.outcome, Outcome::kOk);
  EXPECT_EQ(ok.account, "alice");
  EXPECT_EQ(ok.passdb, "first");
  EXPECT_EQ(ok.credential, "password");
  EXPECT_EQ(outcome(password("alice", "two")), Outcome::kBadCredential);

  EXPECT_EQ(check(password("bob", "two")).passdb, "second");
  const CheckResult unknown = check(password("carol", "two"));
  EXPECT_EQ(unknown.outcome, Outcome::kUnknownUser);
  EXPECT_EQ(unknown.account, "carol");
  EXPECT_EQ(unknown.passdb, "");
}

TEST_F(VerifierTest, AnswersTemporarilyOnlyForNamesThatADownPassdbMayKnow) {
  first_->down = true;
  second_->set("bob", {"{PLAIN}two"});
  EXPECT_EQ(outcome(password("bob", "two")), Outcome::kOk);
  EXPECT_EQ(outcome(password("bob", "wrong")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(password("carol", "x")), Outcome::kUnavailable);

  first_->down = false;
  second_->down = true;
  first_->set("alice", {"{PLAIN}one"});
  EXPECT_EQ(outcome(password("alice", "wrong")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(password("bob", "two")), Outcome::kUnavailable);
}

TEST_F(VerifierTest, SaysOnceAMinuteThatAPassdbIsDownAndOnceThatItIsBack) {
  first_->down = true;
  for (int second = 0; second < 60; ++second) {
    (void)check(password("x", "y"));
    now_ += seconds(1);
  }
  EXPECT_EQ(log_.count("passdb-down"), 1u);
  (void)check(password("x", "y"));
  EXPECT_EQ(log_.count("passdb-down"), 2u);
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("it is down")));
  first_->down = false;
  (void)check(password("x", "y"));
  (void)check(password("x", "y"));
  EXPECT_EQ(log_.count("passdb-up"), 1u);
}

TEST_F(VerifierTest, WithoutAnyPassdbIsTemporary) {
  Verifier none({}, log_, random_);
  std::optional<Outcome> seen;
  none.check(password("alice", "x"), [&seen](const CheckResult& r) { seen = r.outcome; });
  EXPECT_EQ(seen, Outcome::kUnavailable);
}

TEST_F(VerifierTest, TakesAnyOfSeveralCredentials) {
  first_->set("alice", {"{PLAIN}one", "{PLAIN}two"});
  EXPECT_EQ(outcome(password("alice", "one")), Outcome::kOk);
  EXPECT_EQ(outcome(password("alice", "two")), Outcome::kOk);
  EXPECT_EQ(outcome(password("alice", "three")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(cram_md5("alice", "two")), Outcome::kOk);
}

TEST_F(VerifierTest, ChecksCramMd5FromAPlaintextOrAContext) {
  const std::string context =
      "{CRAM-MD5}" + hex_encode(CramMd5Context::from_password("pw").reveal());
  first_->set("plain", {"{PLAIN}pw"});
  first_->set("context", {"{SHA512-CRYPT}$6$x$y", context});
  for (const char* name : {"plain", "context"}) {
    EXPECT_EQ(outcome(cram_md5(name, "pw")), Outcome::kOk) << name;
    EXPECT_EQ(outcome(cram_md5(name, "wrong")), Outcome::kBadCredential) << name;
  }
  EXPECT_EQ(outcome(cram_md5("nobody", "pw")), Outcome::kUnknownUser);
  EXPECT_EQ(log_.count("cram-md5-impossible"), 0u);
}

TEST_F(VerifierTest, SaysWhyCramMd5CannotSucceed) {
  first_->set("alice", {"{SHA256}qaiXMtHAITyGmQjHmwWvrwODspMrrEN6KSrCT9cgKPE="});
  EXPECT_EQ(outcome(cram_md5("alice", "tanstaaftanstaaf")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(password("alice", "tanstaaftanstaaf")), Outcome::kOk);
  EXPECT_EQ(log_.count("cram-md5-impossible"), 1u);
}

TEST_F(VerifierTest, NeverMatchesAnEmptyPassword) {
  const std::string context = "{CRAM-MD5}" + hex_encode(CramMd5Context::from_password("").reveal());
  first_->set("plain", {"{PLAIN}"});
  first_->set("none", {});
  first_->set("context", {context});
  first_->set("any", {}, [](Account& a) { a.nopassword = true; });
  for (const char* name : {"plain", "none", "context", "any"}) {
    EXPECT_EQ(outcome(password(name, "")), Outcome::kBadCredential) << name;
    EXPECT_EQ(outcome(cram_md5(name, "")), Outcome::kBadCredential) << name;
  }
}

TEST_F(VerifierTest, LetsNopasswordInWithAnyPasswordButNotWithCramMd5) {
  first_->set("any", {}, [](Account& a) { a.nopassword = true; });
  EXPECT_EQ(outcome(password("any", "x")), Outcome::kOk);
  EXPECT_EQ(outcome(cram_md5("any", "x")), Outcome::kBadCredential);
}

TEST_F(VerifierTest, RefusesDisabledAccountsWhateverTheyKnow) {
  first_->set("off", {"{PLAIN}pw"}, [](Account& a) { a.disabled = true; });
  first_->set("any", {}, [](Account& a) { a.disabled = a.nopassword = true; });
  EXPECT_EQ(outcome(password("off", "pw")), Outcome::kDisabled);
  EXPECT_EQ(outcome(password("off", "wrong")), Outcome::kDisabled);
  EXPECT_EQ(outcome(cram_md5("off", "pw")), Outcome::kDisabled);
  EXPECT_EQ(outcome(password("any", "x")), Outcome::kDisabled);
}

TEST_F(VerifierTest, MakesAForeignNetworkLookLikeAWrongPassword) {
  const auto from_10 = [](Account& a) { a.allow_nets = {*Network::parse("10.0.0.0/8")}; };
  first_->set("net", {"{PLAIN}pw"}, from_10);
  first_->set("any", {}, [&](Account& a) {
    from_10(a);
    a.nopassword = true;
  });
  const auto from = [](CheckRequest request, const char* rip) {
    request.rip = IpAddress::parse(rip);
    return request;
  };
  EXPECT_EQ(outcome(from(password("net", "pw"), "10.1.2.3")), Outcome::kOk);
  EXPECT_EQ(outcome(from(password("net", "pw"), "192.0.2.1")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(from(password("net", "pw"), "")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(from(cram_md5("net", "pw"), "192.0.2.1")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(from(password("any", "x"), "192.0.2.1")), Outcome::kBadCredential);
}

TEST_F(VerifierTest, FailsADamagedHashAndSaysSoOnceAMinute) {
  first_->set("old", {"{NO-SUCH-SCHEME}x"});
  first_->set("cut", {"{SHA256}AAAA"});
  first_->set("both", {"{SHA256}AAAA", "{PLAIN}pw"});
  first_->set("sealed", {}, [](Account& a) { a.damaged = "it does not open"; });
  for (const char* name : {"old", "cut", "sealed"}) {
    EXPECT_EQ(outcome(password(name, "x")), Outcome::kBadCredential) << name;
    EXPECT_EQ(outcome(cram_md5(name, "x")), Outcome::kBadCredential) << name;
  }
  EXPECT_EQ(outcome(password("both", "pw")), Outcome::kOk);
  EXPECT_EQ(log_.count("credential-damaged"), 4u);
  now_ += seconds(60);
  (void)check(password("old", "x"));
  EXPECT_EQ(log_.count("credential-damaged"), 5u);
}

TEST_F(VerifierTest, IsTemporaryWhereACredentialCannotBeOpened) {
  first_->set("context", {}, [](Account& a) { a.withheld = "no key file"; });
  first_->set("hash", {"{SHA256}qaiXMtHAITyGmQjHmwWvrwODspMrrEN6KSrCT9cgKPE="},
              [](Account& a) { a.withheld = "no key file"; });
  first_->set("off", {}, [](Account& a) {
    a.withheld = "no key file";
    a.disabled = true;
  });
  EXPECT_EQ(outcome(cram_md5("context", "x")), Outcome::kUnavailable);
  EXPECT_EQ(outcome(password("context", "x")), Outcome::kUnavailable);
  EXPECT_EQ(outcome(cram_md5("hash", "x")), Outcome::kUnavailable);
  // The password's own hash is there and decides.
  EXPECT_EQ(outcome(password("hash", "x")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(password("hash", "tanstaaftanstaaf")), Outcome::kOk);
  EXPECT_EQ(outcome(cram_md5("off", "x")), Outcome::kDisabled);
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("no key file")));
}

TEST_F(VerifierTest, AsksWhetherTheMappedAccountIsAdmittedBeforeAnyHash) {
  first_->set("alias", {"{PLAIN}pw"}, [](Account& a) { a.name = "alice"; });
  first_->set("alice", {"{PLAIN}pw"});
  std::vector<std::string> asked;
  const auto with_gate = [&asked](const char* name, bool open) {
    CheckRequest request = password(name, "pw");
    request.admit_account = [&asked, open](const std::string& account) {
      asked.push_back(account);
      return open;
    };
    return request;
  };
  const CheckResult in = check(with_gate("alias", true));
  EXPECT_EQ(in.outcome, Outcome::kOk);
  EXPECT_EQ(in.account, "alice");
  EXPECT_EQ(outcome(with_gate("alias", false)), Outcome::kRefused);
  EXPECT_EQ(outcome(with_gate("alice", false)), Outcome::kOk) << "nothing was mapped";
  EXPECT_EQ(outcome(with_gate("nobody", false)), Outcome::kUnknownUser);
  EXPECT_THAT(asked, ElementsAre("alice", "alice"));
}

TEST_F(VerifierTest, TellsNodelay) {
  first_->set("quick", {"{PLAIN}pw"}, [](Account& a) { a.nodelay = true; });
  EXPECT_TRUE(check(password("quick", "wrong")).nodelay);
  EXPECT_FALSE(check(password("nobody", "wrong")).nodelay);
}

class AuthenticatorTest : public VerifierTest {
 protected:
  AuthenticatorTest() {
    first_->typical = {"", 0, true};
    know("alice");
    know("maybe", [](Account& account) { account.is_presumed = true; });
    second_->set("maybe", {"{PLAIN}two"});
  }
  void know(const std::string& name, std::function<void(Account&)> change = {}) {
    first_->set(name, {}, [this, change = std::move(change)](Account& account) {
      account.authenticator = judge_;
      if (change) change(account);
    });
  }
  void says(ProofVerdict verdict, const char* reason = "") { judge_->says = {verdict, reason, {}}; }

  std::shared_ptr<ScriptedAuthenticator> judge_ = std::make_shared<ScriptedAuthenticator>();
};

TEST_F(AuthenticatorTest, DecidesInPlaceOfWhatIsStored) {
  const std::pair<ProofVerdict, Outcome> kTable[] = {
      {ProofVerdict::kRight, Outcome::kOk},
      {ProofVerdict::kWrong, Outcome::kBadCredential},
      {ProofVerdict::kDisabled, Outcome::kDisabled},
      {ProofVerdict::kUnavailable, Outcome::kUnavailable},
      {ProofVerdict::kUnknownUser, Outcome::kUnknownUser},  // the second one does not know her
  };
  for (const auto& [verdict, expected] : kTable) {
    says(verdict, "why");
    const CheckResult result = check(password("alice", "pw"));
    EXPECT_EQ(result.outcome, expected);
    EXPECT_EQ(result.account, "alice");
    EXPECT_EQ(result.credential, expected == Outcome::kOk ? "password" : "");
  }
  EXPECT_THAT(judge_->asked, ElementsAre("pw", "pw", "pw", "pw", "pw"));
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("why")));
}

TEST_F(AuthenticatorTest, LetsTheNextPassdbDecideOnANameThatWasOnlyPresumed) {
  says(ProofVerdict::kUnknownUser);
  EXPECT_EQ(check(password("maybe", "two")).passdb, "second");
  EXPECT_EQ(outcome(password("maybe", "wrong")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(cram_md5("maybe", "two")), Outcome::kOk);
  EXPECT_THAT(judge_->asked, ElementsAre("two", "wrong", "-"));

  says(ProofVerdict::kWrong);
  EXPECT_EQ(outcome(password("maybe", "two")), Outcome::kBadCredential) << "it knows him";
  // Whether it knows him it cannot say; that he is found behind it is as with any other passdb.
  says(ProofVerdict::kUnavailable, "no answer");
  EXPECT_EQ(outcome(password("maybe", "two")), Outcome::kOk);
  know("nobody", [](Account& account) { account.is_presumed = true; });
  EXPECT_EQ(outcome(password("nobody", "x")), Outcome::kUnavailable);
  EXPECT_EQ(outcome(password("alice", "x")), Outcome::kUnavailable);
  EXPECT_EQ(log_.count("passdb-down"), 1u);
  says(ProofVerdict::kWrong);
  EXPECT_EQ(outcome(password("alice", "x")), Outcome::kBadCredential);
  EXPECT_EQ(log_.count("passdb-up"), 1u);
}

TEST_F(AuthenticatorTest, IsNeverAskedAboutAnEmptyPassword) {
  EXPECT_EQ(outcome(password("alice", "")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(password("maybe", "")), Outcome::kBadCredential);
  EXPECT_THAT(judge_->asked, ElementsAre());
}

TEST_F(AuthenticatorTest, CannotServeCramMd5UnlessSomethingIsStoredToo) {
  EXPECT_EQ(outcome(cram_md5("alice", "pw")), Outcome::kBadCredential);
  EXPECT_EQ(log_.count("cram-md5-impossible"), 1u);
  first_->set("both", {"{PLAIN}pw"}, [this](Account& a) { a.authenticator = judge_; });
  EXPECT_EQ(outcome(cram_md5("both", "pw")), Outcome::kOk);
  EXPECT_THAT(judge_->asked, ElementsAre());
  says(ProofVerdict::kWrong);
  EXPECT_EQ(outcome(password("both", "pw")), Outcome::kBadCredential) << "it decides alone";
}

TEST_F(AuthenticatorTest, DoesNotOverruleTheAccount) {
  know("off", [](Account& account) { account.disabled = true; });
  know("abroad", [](Account& account) { account.allow_nets.emplace(); });
  know("alias", [](Account& account) { account.name = "alice"; });
  EXPECT_EQ(outcome(password("off", "pw")), Outcome::kDisabled);
  EXPECT_EQ(outcome(password("abroad", "pw")), Outcome::kBadCredential);
  EXPECT_EQ(judge_->asked.size(), 2u) << "what is refused costs as much as what is wrong";
  CheckRequest refused = password("alias", "pw");
  refused.admit_account = [](const std::string&) { return false; };
  EXPECT_EQ(outcome(std::move(refused)), Outcome::kRefused);
  EXPECT_EQ(judge_->asked.size(), 2u) << "a refused attempt asks nobody";
}

TEST_F(AuthenticatorTest, MayAnswerLaterAndKnowsUntilWhen) {
  judge_->waits = true;
  CheckRequest request = password("alice", "pw");
  request.deadline = now_ + seconds(4);
  EXPECT_FALSE(verifier().check_inline(request)) << "nobody can say here and now";
  std::optional<CheckResult> result;
  verifier().check(request, [&result](CheckResult r) { result = std::move(r); });
  EXPECT_FALSE(result);
  EXPECT_EQ(judge_->deadline, now_ + seconds(4));
  judge_->answer();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->outcome, Outcome::kOk);
}

TEST_F(AuthenticatorTest, IsAskedEachTimeUnlessThePassdbSaysOtherwise) {
  verifier_.emplace(std::vector<std::shared_ptr<Passdb>>{first_, second_}, log_, random_,
                    seconds(300));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(outcome(password("alice", "pw")), Outcome::kOk);
  EXPECT_EQ(judge_->asked.size(), 3u);

  std::string stamp = "1";
  know("bob", [&stamp](Account& account) {
    account.right_lasts = seconds(30);
    account.stamp = stamp;
  });
  EXPECT_FALSE(check(password("bob", "pw")).remembered);
  EXPECT_TRUE(check(password("bob", "pw")).remembered);
  says(ProofVerdict::kWrong);
  EXPECT_EQ(outcome(password("bob", "other")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(password("bob", "other")), Outcome::kBadCredential);
  EXPECT_EQ(outcome(password("bob", "pw")), Outcome::kOk) << "still remembered";
  stamp = "2";
  EXPECT_EQ(outcome(password("bob", "pw")), Outcome::kBadCredential) << "his entry has changed";
  stamp = "1";
  now_ += seconds(30);
  EXPECT_EQ(outcome(password("bob", "pw")), Outcome::kBadCredential) << "it is over";
}

TEST_F(AuthenticatorTest, MakesWhatItDoesNotJudgeAsLateAsWhatItDoes) {
  verifier_.emplace(std::vector<std::shared_ptr<Passdb>>{first_}, log_, random_);
  using std::chrono::microseconds;
  EXPECT_EQ(check(password("nobody", "x")).as_if, microseconds(0)) << "nothing is known yet";
  judge_->says = {ProofVerdict::kWrong, "", microseconds(700)};
  EXPECT_EQ(check(password("alice", "x")).as_if, microseconds(0)) << "it took its time";
  EXPECT_EQ(check(password("nobody", "x")).as_if, microseconds(700));
  EXPECT_EQ(check(password("alice", "")).as_if, microseconds(700));
  judge_->says = {ProofVerdict::kUnknownUser, "", microseconds(600)};
  EXPECT_EQ(check(password("maybe", "x")).as_if, microseconds(100));
}

TEST_F(AuthenticatorTest, CostsNoHashHereWhereNobodyHasOne) {
  verifier_.emplace(std::vector<std::shared_ptr<Passdb>>{first_}, log_, random_);
  EXPECT_TRUE(verifier().check_inline(password("nobody", "x")));
  verifier_.reset();
  second_->typical.stored = saslatch::password::default_dummy(random_);
  EXPECT_FALSE(verifier().check_inline(password("nobody", "x")));
}

TEST_F(AuthenticatorTest, TellsWhoOnlyLooksUpWhetherAPresumedAccountIsThere) {
  const auto found = [this](const char* name) {
    Lookup answer = Unavailable{"not answered"};
    verifier().lookup(name, now_, [&answer](Lookup l) { answer = std::move(l); });
    return answer;
  };
  EXPECT_TRUE(std::holds_alternative<Account>(found("maybe")));
  says(ProofVerdict::kDisabled);
  EXPECT_TRUE(std::get<Account>(found("maybe")).disabled);
  know("ghost", [](Account& account) { account.is_presumed = true; });
  says(ProofVerdict::kUnknownUser);
  EXPECT_EQ(told(found("ghost")), "unknown");
  says(ProofVerdict::kUnavailable);
  EXPECT_THAT(told(found("ghost")), HasSubstr("down"));
  EXPECT_TRUE(std::holds_alternative<Account>(found("alice"))) << "she was found, not presumed";
  EXPECT_THAT(judge_->asked, ElementsAre("-", "-", "-", "-"));

  std::vector<std::string> names;
  EXPECT_TRUE(verifier().list("m*", [&names](std::string_view name) {
    names.emplace_back(name);
    return true;
  }));
  EXPECT_THAT(names, Contains("maybe"));
}

// What a check costs on this thread, whatever else the machine does.
std::chrono::nanoseconds cpu_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST_F(VerifierTest, SpendsTheSameOnEveryFailure) {
  const std::string slow = saslatch::password::default_dummy(random_);
  first_->typical = {slow, 1000};
  const auto disabled = [](Account& a) { a.disabled = true; };
  first_->set("wrong", {slow});
  first_->set("disabled", {slow}, disabled);
  first_->set("no password", {});
  first_->set("damaged", {"{NO-SUCH-SCHEME}x"});
  first_->set("nologin and nopassword", {}, [](Account& a) { a.disabled = a.nopassword = true; });
  first_->set("foreign network", {slow}, [](Account& a) { a.allow_nets.emplace(); });
  const auto cost = [this](const char* name) {
    const auto before = cpu_time();
    EXPECT_NE(outcome(password(name, "x")), Outcome::kOk);
    return cpu_time() - before;
  };
  (void)cost("wrong");  // warms the allocator
  const auto usual = cost("wrong");
  ASSERT_GT(usual, std::chrono::milliseconds(5)) << "the test's hash is not slow";
  for (const char* name : {"unknown", "disabled", "no password", "damaged",
                           "nologin and nopassword", "foreign network"}) {
    const auto spent = cost(name);
    // Without a hash it would be a thousandth; on a loaded machine a hash may take twice as much.
    EXPECT_GT(spent, usual / 10) << name;
    EXPECT_LT(spent, usual * 10) << name;
  }
  first_->set("mapped", {slow}, [](Account& a) { a.name = "other"; });
  CheckRequest refused = password("mapped", "x");
  refused.admit_account = [](const std::string&) { return false; };
  const auto before = cpu_time();
  EXPECT_EQ(outcome(std::move(refused)), Outcome::kRefused);
  EXPECT_LT(cpu_time() - before, usual / 10) << "a refusal hashed";
}

TEST_F(VerifierTest, MayRunInlineOnlyWhatIsFast) {
  const std::string slow = saslatch::password::default_dummy(random_);
  first_->set("fast", {"{PLAIN}pw"});
  first_->set("slow", {"{PLAIN}pw", slow});
  first_->set("damaged", {"{NO-SUCH-SCHEME}x"});
  EXPECT_TRUE(verifier().check_inline(password("fast", "x")));
  EXPECT_FALSE(verifier().check_inline(password("slow", "x")));
  EXPECT_TRUE(verifier().check_inline(cram_md5("slow", "x")));
  EXPECT_TRUE(verifier().check_inline(password("unknown", "x")));
  EXPECT_TRUE(verifier().check_inline(password("damaged", "x")));
  second_->typical = {slow, 11};  // now the most common one
  EXPECT_FALSE(verifier().check_inline(password("unknown", "x")));
  EXPECT_FALSE(verifier().check_inline(password("damaged", "x")));
  EXPECT_TRUE(verifier().check_inline(password("fast", "x")));
  second_->slow = true;
  EXPECT_TRUE(verifier().check_inline(password("fast", "x"))) << "the second is not asked";
  EXPECT_FALSE(verifier().check_inline(cram_md5("unknown", "x")));
}

TEST_F(VerifierTest, RunsInlineWhatAPassdbThatMayBlockHasInMemory) {
  first_->slow = true;
  first_->set("fast", {"{PLAIN}pw"});
  first_->set("slow", {password::default_dummy(random_)});
  first_->set("damaged", {"{NO-SUCH-SCHEME}x"});
  second_->set("behind", {"{PLAIN}pw"});
  EXPECT_FALSE(verifier().check_inline(password("fast", "x")));
  EXPECT_FALSE(verifier().check_inline(password("behind", "x")));
  first_->remembers = true;
  const auto right = verifier().check_inline(password("fast", "pw"));
  ASSERT_TRUE(right);
  EXPECT_EQ(right->outcome, Outcome::kOk);
  const auto wrong = verifier().check_inline(cram_md5("fast", "x"));
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->outcome, Outcome::kBadCredential);
  EXPECT_TRUE(verifier().check_inline(password("behind", "pw"))) << "the first does not know it";
  EXPECT_FALSE(verifier().check_inline(password("slow", "pw")));
  // What these cost is asked of the passdbs, which may block.
  EXPECT_FALSE(verifier().check_inline(password("unknown", "x")));
  EXPECT_FALSE(verifier().check_inline(password("damaged", "x")));
}

TEST_F(VerifierTest, LooksUpForUserWithoutShowingACredential) {
  first_->set("alice", {"{PLAIN}pw"}, [](Account& a) { a.uid = 1000; });
  first_->set("root", {"{PLAIN}pw"}, [](Account& a) { a.in_userdb = false; });
  const auto found = [this](const char* name) {
    Lookup answer = Unavailable{};
    verifier().lookup(name, now_, [&answer](Lookup l) { answer = std::move(l); });
    return answer;
  };
  const Lookup alice = found("alice");
  ASSERT_TRUE(std::holds_alternative<Account>(alice));
  EXPECT_EQ(std::get<Account>(alice).uid, 1000u);
  EXPECT_TRUE(std::get<Account>(alice).credentials.empty());
  EXPECT_EQ(told(found("root")), "unknown");
  EXPECT_EQ(told(found("nobody")), "unknown");
  second_->down = true;
  EXPECT_THAT(told(found("nobody")), HasSubstr("down"));
}

TEST_F(VerifierTest, ListsEachNameOnce) {
  first_->set("a", {});
  first_->set("b", {});
  second_->set("b", {});
  second_->set("c", {});
  std::vector<std::string> names;
  const auto keep = [&names](std::string_view name) {
    names.emplace_back(name);
    return true;
  };
  EXPECT_TRUE(verifier().list("*", keep));
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));

  names.clear();
  EXPECT_TRUE(verifier().list("*", [&](std::string_view name) {
    keep(name);
    return false;
  }));
  EXPECT_THAT(names, ElementsAre("a"));
  second_->down = true;
  EXPECT_FALSE(verifier().list("*", keep));
}

TEST_F(VerifierTest, ShowsHowItsPassdbsAre) {
  second_->down = true;
  const auto status = verifier().status();
  ASSERT_EQ(status.size(), 2u);
  EXPECT_EQ(status[0].name, "first");
  EXPECT_TRUE(status[0].available);
  EXPECT_FALSE(status[1].available);
}

// A stored password that costs a slow hash, and another one of the same password.
constexpr const char* kSlow =
    "{SHA512-CRYPT}$6$rounds=1000$0123456789abcdef$mcCDk6dNL5N0ijt8G9cMeU.2SLHUPRvQks/S0b3xWPKwxC/"
    "ouwbeCpt1WQloVhjazWF95X44lzjAj904IpNm1/";
constexpr const char* kSlowAnew =
    "{SHA512-CRYPT}$6$rounds=1000$fedcba9876543210$"
    "4XyvrVAXOAbwWJQqY84jSCxvy9Tj8Pz6elIGKd6QWuSAQRpDy/HOVVEsYtHxuoO82jUVipFC6UObo0zS2Fyub1";

class VerdictsTest : public VerifierTest {
 protected:
  VerdictsTest() {
    first_->set("alice", {kSlow});
    verifier_.emplace(std::vector<std::shared_ptr<Passdb>>{first_}, log_, random_, seconds(300));
  }
  // "slow": a hash has to be computed. Else what came out without one.
  std::string inline_outcome(const std::string& word) {
    CheckRequest request = password("alice", word);
    request.now = now_;
    const auto result = verifier_->check_inline(request);
    if (!result) return "slow";
    if (result->outcome == Outcome::kDisabled) return "disabled";
    return result->outcome == Outcome::kOk && result->remembered ? "remembered" : "other";
  }
};

TEST_F(VerdictsTest, ARightPasswordCostsItsHashOnceInAWhile) {
  EXPECT_EQ(inline_outcome("secret"), "slow");
  const CheckResult computed = check(password("alice", "secret"));
  EXPECT_EQ(computed.outcome, Outcome::kOk);
  EXPECT_FALSE(computed.remembered);
  EXPECT_EQ(inline_outcome("secret"), "remembered");
  EXPECT_EQ(check(password("alice", "secret")).credential, "password");

  now_ += seconds(299);
  EXPECT_EQ(inline_outcome("secret"), "remembered");
  now_ += seconds(1);
  EXPECT_EQ(inline_outcome("secret"), "slow") << "its use must not prolong it";
}

TEST_F(VerdictsTest, AWrongPasswordAlwaysCostsItsHash) {
  ASSERT_EQ(outcome(password("alice", "secret")), Outcome::kOk);
  EXPECT_EQ(outcome(password("alice", "wrong")), Outcome::kBadCredential);
  EXPECT_EQ(inline_outcome("wrong"), "slow");
}

TEST_F(VerdictsTest, NothingOutlivesTheStoredPassword) {
  ASSERT_EQ(outcome(password("alice", "secret")), Outcome::kOk);
  first_->set("alice", {kSlowAnew});
  EXPECT_EQ(inline_outcome("secret"), "slow") << "the same password, stored anew";
  first_->set("alice", {});
  EXPECT_EQ(outcome(password("alice", "secret")), Outcome::kBadCredential);
}

TEST_F(VerdictsTest, WhoIsDisabledOrElsewhereIsNotLetIn) {
  ASSERT_EQ(outcome(password("alice", "secret")), Outcome::kOk);
  first_->set("alice", {kSlow}, [](Account& account) { account.disabled = true; });
  EXPECT_EQ(inline_outcome("secret"), "disabled");
  first_->set("alice", {kSlow}, [](Account& account) { account.allow_nets.emplace(); });
  EXPECT_EQ(inline_outcome("secret"), "other");
}

TEST_F(VerdictsTest, TheyCanBeTurnedOff) {
  verifier_.emplace(std::vector<std::shared_ptr<Passdb>>{first_}, log_, random_);
  ASSERT_EQ(outcome(password("alice", "secret")), Outcome::kOk);
  EXPECT_EQ(inline_outcome("secret"), "slow");
}

TEST_F(VerdictsTest, AreBoundedAndWipedWhenTheyEnd) {
  password::VerdictCache cache(seconds(300), random_);
  const auto digest = [&cache](size_t i) { return cache.digest_of("stored", std::to_string(i)); };
  constexpr size_t kMany = 2 * password::VerdictCache::kEntries;
  for (size_t i = 0; i < kMany; ++i) cache.remember(digest(i), now_ + seconds(i / 1000));
  const auto known = [&] {
    size_t count = 0;
    for (size_t i = 0; i < kMany; ++i) count += cache.knows(digest(i), now_);
    return count;
  };
  EXPECT_LE(known(), password::VerdictCache::kEntries);
  EXPECT_GT(known(), password::VerdictCache::kEntries / 2);
  EXPECT_TRUE(cache.knows(digest(kMany - 1), now_)) << "the newest one";
  cache.sweep(now_ + seconds(10'000));
  EXPECT_EQ(known(), 0u);
}

TEST_F(VerdictsTest, KeepWhatIsStoredAndWhatIsGivenApart) {
  const password::VerdictCache cache(seconds(300), random_);
  EXPECT_NE(cache.digest_of("ab", "c"), cache.digest_of("a", "bc"));
}

// "now", or "later": the hash was given away, and came out when it ran.
std::string when_decided(const Verifier& verifier, const CheckRequest& request) {
  bool decided = false;
  std::function<void()> hash;
  verifier.check(
      request, [&decided](const CheckResult&) { decided = true; },
      [&hash](std::function<void()> given) { hash = std::move(given); });
  if (decided) return hash ? "twice" : "now";
  if (!hash) return "never";
  hash();
  return decided ? "later" : "never";
}

TEST_F(VerdictsTest, OnlyASlowHashIsComputedElsewhere) {
  first_->set("bob", {"{PLAIN}secret"});
  EXPECT_EQ(when_decided(*verifier_, password("bob", "secret")), "now");
  EXPECT_EQ(when_decided(*verifier_, password("bob", "wrong")), "now");
  EXPECT_EQ(when_decided(*verifier_, cram_md5("alice", "secret")), "now");
  EXPECT_EQ(when_decided(*verifier_, password("alice", "secret")), "later");
  EXPECT_EQ(when_decided(*verifier_, password("alice", "secret")), "now") << "it is remembered";
  EXPECT_EQ(when_decided(*verifier_, password("alice", "wrong")), "later");
}

}  // namespace
}  // namespace saslatch::passdb
