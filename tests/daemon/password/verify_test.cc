#include "daemon/password/verify.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "daemon/password/hash_memory.h"
#include "daemon/password/limits.h"
#include "protocol/base/base64.h"
#include "tests/daemon/password/vectors.h"

namespace saslatch::password {
namespace {

StoredPassword stored(const std::string& text) {
  auto parsed = parse(text, "");
  EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
  if (!parsed) return Plaintext{};
  return *std::move(parsed);
}

// Differs in its first character, since DES reads no more than 8 and bcrypt 72.
std::string another(std::string password) {
  password.front() = password.front() == 'Z' ? 'Y' : 'Z';
  return password;
}

TEST(Verify, LetsTheRightPasswordInAndTheWrongOneNot) {
  for (const char* file : {"doveadm.txt", "foreign.txt"}) {
    for (const auto& row : read_rows(file, 2)) {
      const StoredPassword parsed = stored(row[1]);
      EXPECT_EQ(verify(parsed, row[0]), Check::kMatch) << row[1];
      EXPECT_EQ(verify(parsed, another(row[0])), Check::kMismatch) << row[1];
    }
  }
}

// A check must not find what the last one left in the memory they share, smaller or larger.
TEST(Verify, AnswersTheSameInMemoryThatIsKept) {
  std::thread([] {
    keep_hash_memory();
    for (int round = 0; round < 2; ++round) {
      for (const auto& row : read_rows("foreign.txt", 2)) {
        const StoredPassword parsed = stored(row[1]);
        if (!std::holds_alternative<Argon2>(parsed)) continue;
        EXPECT_EQ(verify(parsed, another(row[0])), Check::kMismatch) << row[1];
        EXPECT_EQ(verify(parsed, row[0]), Check::kMatch) << row[1];
      }
    }
    release_hash_memory();
  }).join();
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // see hash_memory.h
TEST(Verify, AsksTheKernelForArgon2MemoryOnlyOnceWhereItIsKept) {
  std::thread([] {
    constexpr long kPages = 16 * 1024 / 4;
    const StoredPassword parsed = stored(
        "{ARGON2ID}$argon2id$v=19$m=16384,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    const auto pages_of_a_check = [&parsed] {
      rusage before{};
      rusage after{};
      getrusage(RUSAGE_THREAD, &before);
      EXPECT_EQ(verify(parsed, "guess"), Check::kMismatch);
      getrusage(RUSAGE_THREAD, &after);
      return after.ru_minflt - before.ru_minflt;
    };
    keep_hash_memory();
    (void)pages_of_a_check();
    EXPECT_LT(pages_of_a_check(), kPages / 16);
    const auto resident_pages = [] {
      long all = 0;
      long resident = 0;
      std::ifstream("/proc/self/statm") >> all >> resident;
      return resident;
    };
    const long kept = resident_pages();
    release_hash_memory();
    EXPECT_LT(resident_pages(), kept - kPages / 2);
  }).join();
}
#endif

TEST(Verify, ComparesTheWholePassword) {
  for (const auto& row : read_rows("doveadm.txt", 2)) {
    const StoredPassword parsed = stored(row[1]);
    if (is_slow(parsed)) continue;  // they hand the password to a library as it is
    const std::string& password = row[0];
    EXPECT_EQ(verify(parsed, password + "x"), Check::kMismatch) << row[1];
    EXPECT_EQ(verify(parsed, password.substr(1)), Check::kMismatch) << row[1];
    EXPECT_EQ(verify(parsed, password.substr(0, password.size() - 1)), Check::kMismatch) << row[1];
    EXPECT_EQ(verify(parsed, " " + password), Check::kMismatch) << row[1];
  }
}

TEST(Verify, NeverMatchesAHashThatHasLostOrChangedAByte) {
  for (const auto& row : read_rows("doveadm.txt", 2)) {
    const std::string& text = row[1];
    for (size_t i = 0; i < text.size(); ++i) {
      std::string changed = text;
      changed[i] = '!';
      for (const std::string& damaged : {text.substr(0, i), changed}) {
        const auto parsed = parse(damaged, "CRYPT");
        if (!parsed || is_slow(*parsed)) continue;
        EXPECT_EQ(verify(*parsed, row[0]), Check::kMismatch) << damaged;
      }
    }
  }
}

TEST(Verify, NeverMatchesAnEmptyStoredPassword) {
  for (const char* text :
       {"{PLAIN}", "{CLEARTEXT.hex}", "{PLAIN-TRUNC}0-", "{PLAIN-TRUNC}8-", "{CRYPT}", "{SHA}",
        "{ARGON2ID}", "",
        // digests of the empty password
        "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "{PLAIN-MD5}d41d8cd98f00b204e9800998ecf8427e"}) {
    const auto parsed = parse(text, "PLAIN");
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    for (const char* password : {"", "x", "0", "{PLAIN}"}) {
      EXPECT_EQ(verify(*parsed, password), Check::kMismatch) << text;
    }
  }
}

TEST(Verify, ReadsPlainTruncAsDovecotDoes) {
  const struct {
    const char* text;
    const char* password;
    Check check;
  } kCases[] = {{"{PLAIN-TRUNC}6-secret", "secret", Check::kMatch},
                {"{PLAIN-TRUNC}6-secret", "secretlonger", Check::kMatch},
                {"{PLAIN-TRUNC}6-secret", "secre", Check::kMismatch},
                {"{PLAIN-TRUNC}7-secret", "secret", Check::kMatch},
                {"{PLAIN-TRUNC}7-secret", "secretlonger", Check::kMismatch}};
  for (const auto& c : kCases) {
    EXPECT_EQ(verify(stored(c.text), c.password), c.check) << c.text << " " << c.password;
  }
}

TEST(Verify, RefusesWithoutWorkWhatNoHashHolds) {
  const std::string longest(kMaxPasswordSize, 'k');
  const std::string nul("secret\0", 7);
  for (const char* text :
       {"{CRYPT}$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{PLAIN}secret", "{PLAIN-TRUNC}6-secret"}) {
    EXPECT_EQ(verify(stored(text), nul), Check::kMismatch) << text;
    EXPECT_EQ(verify(stored(text), longest + "k"), Check::kMismatch) << text;
  }
  EXPECT_EQ(verify(stored("{PLAIN}" + longest), longest), Check::kMatch);
  EXPECT_EQ(verify(stored("{PLAIN-TRUNC}1-k"), longest), Check::kMatch);
  EXPECT_EQ(verify(stored("{PLAIN-TRUNC}1-k"), longest + "k"), Check::kMismatch);
}

// A process that may not have the memory says so: the password may have been right.
TEST(VerifyDeathTest, CallsALackOfMemoryByItsName) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more address space than the limit this test sets";
#else
  const auto check_with_little_memory = [](const char* text) {
    const StoredPassword parsed = stored(text);
    const rlimit limit{rlim_t{96} << 20, rlim_t{96} << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(99);
    _exit(static_cast<int>(verify(parsed, "x")));
  };
  constexpr int kNoMemory = static_cast<int>(Check::kNoMemory);
  EXPECT_EXIT(check_with_little_memory("{ARGON2}$argon2id$v=19$m=262144,t=1,p=1"
                                       "$c29tZXNhbHQxMjM0NQ$5dNiV6ElmNOkgJ9ghcAdkA"),
              testing::ExitedWithCode(kNoMemory), "");
  EXPECT_EXIT(
      check_with_little_memory(
          "{CRYPT}$y$jDT$LdJMENpBABJJ3hIHjB1Bi.$iofk68xbXBoXKsxTyMBCh2qkQuzQZ2Zik521F9TsTq6"),
      testing::ExitedWithCode(kNoMemory), "");
#endif
}

// The salt's last character has bits set that yescrypt demands to be zero: form alone cannot tell.
TEST(Verify, CallsWhatTheSystemRefusesUnusable) {
  const auto parsed =
      stored("{CRYPT}$y$j9T$LdJMENpBABJJ3hIHjB1Biz$iofk68xbXBoXKsxTyMBCh2qkQuzQZ2Zik521F9TsTq6");
  EXPECT_EQ(verify(parsed, "pleaseletmein"), Check::kUnusable);
}

TEST(VerifyCramMd5, AnswersFromPlaintextAndContextOnly) {
  const std::string challenge = "<1896.697170952@postoffice.reston.mci.net>";  // RFC 2195
  const std::string digest = *hex_decode("b913a602c7eda7a495b4e6e7334d3890");
  const char* const kServing[] = {
      "{PLAIN}tanstaaftanstaaf",
      "{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b"};
  for (const char* text : kServing) {
    EXPECT_EQ(verify_cram_md5(stored(text), challenge, digest), Check::kMatch) << text;
    EXPECT_EQ(verify_cram_md5(stored(text), challenge + ">", digest), Check::kMismatch);
    for (const std::string& wrong :
         {std::string(), digest.substr(1), digest + "x", std::string(16, '\0')}) {
      EXPECT_EQ(verify_cram_md5(stored(text), challenge, wrong), Check::kMismatch) << text;
    }
  }
  for (const auto& row : read_rows("doveadm.txt", 2)) {
    const StoredPassword parsed = stored(row[1]);
    if (std::holds_alternative<Plaintext>(parsed) || std::holds_alternative<CramMd5>(parsed)) {
      continue;
    }
    EXPECT_EQ(verify_cram_md5(parsed, challenge, digest), Check::kUnusable) << row[1];
  }
}

TEST(VerifyCramMd5, NeverMatchesAnEmptyStoredPassword) {
  const auto empty = CramMd5Context::from_password("");
  const std::string digest = empty.hmac("challenge");
  const std::string context = "{CRAM-MD5}" + hex_encode(empty.reveal());
  EXPECT_EQ(verify_cram_md5(stored("{PLAIN}"), "challenge", digest), Check::kMismatch);
  EXPECT_EQ(verify_cram_md5(stored(context), "challenge", digest), Check::kMismatch);
  EXPECT_EQ(verify(stored(context), ""), Check::kMismatch);
}

TEST(IsSlow, IsTrueForWhatAnEventLoopMustNotRun) {
  for (const char* text :
       {"{DES-CRYPT}NMasRWjLUGOYQ", "{PBKDF2}$1$s$1$59d7c70f16dee7a4bd6d1aec7b1425de51c463c7",
        "{ARGON2}$argon2id$v=19$m=64,t=1,p=8$c29tZXNhbHQxMjM0NQ$5dNiV6ElmNOkgJ9ghcAdkA",
        "{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
        "D+CSWLOshSulAsxiupA+qs2/fTE="}) {
    EXPECT_TRUE(is_slow(stored(text))) << text;
  }
  for (const char* text :
       {"{PLAIN}x", "{PLAIN-TRUNC}1-x", "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        "{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b"}) {
    EXPECT_FALSE(is_slow(stored(text))) << text;
  }
}

}  // namespace
}  // namespace saslatch::password
