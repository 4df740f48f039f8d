#include "daemon/password/create.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/password/limits.h"
#include "daemon/password/verify.h"
#include "tests/daemon/password/seeded_random.h"

namespace saslatch::password {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string created(std::string_view scheme, std::string_view password, Random& random) {
  const auto secret = create(scheme, password, random);
  EXPECT_TRUE(secret) << scheme << ": " << secret.error().message;
  return secret ? std::string(secret->reveal()) : std::string();
}

TEST(Create, OffersTheSchemesOfTheManualWithArgon2idFirst) {
  EXPECT_THAT(creatable_schemes(),
              ElementsAre("ARGON2ID", "SHA512-CRYPT", "BLF-CRYPT", "CRAM-MD5", "SCRAM-SHA-256"));
}

TEST(Create, MakesWhatVerifyTakes) {
  SeededRandom random;
  for (const std::string_view scheme : creatable_schemes()) {
    for (const std::string password : {"x", "pässwörd ☃ {a:b}$c,d",
                                       "72 bytes of which bcrypt reads "
                                       "every one, and of which none is too many"}) {
      const std::string text = created(scheme, password, random);
      EXPECT_THAT(text, StartsWith("{" + std::string(scheme) + "}"));
      const auto stored = parse(text, "");
      ASSERT_TRUE(stored) << text << ": " << stored.error().message;
      EXPECT_EQ(verify(*stored, password), Check::kMatch) << text;
      EXPECT_EQ(verify(*stored, password + "x"),
                password.size() == 72 && scheme == "BLF-CRYPT" ? Check::kMatch : Check::kMismatch)
          << text;
      EXPECT_EQ(verify(*stored, "X" + password.substr(1)), Check::kMismatch) << text;
    }
  }
}

TEST(Create, HasTheCostThatTheManualPromises) {
  SeededRandom random;
  EXPECT_THAT(created("ARGON2ID", "x", random),
              StartsWith("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_THAT(created("SHA512-CRYPT", "x", random), StartsWith("{SHA512-CRYPT}$6$rounds=50000$"));
  EXPECT_THAT(created("BLF-CRYPT", "x", random), StartsWith("{BLF-CRYPT}$2y$10$"));
  EXPECT_THAT(created("SCRAM-SHA-256", "x", random), StartsWith("{SCRAM-SHA-256}15000,"));
}

TEST(Create, TakesItsSaltFromTheGivenRandom) {
  for (const std::string scheme : {"argon2id", "Sha512-Crypt", "blf-crypt", "scram-sha-256"}) {
    SeededRandom one(1), again(1), other(99);
    const std::string text = created(scheme, "x", one);
    EXPECT_EQ(text, created(scheme, "x", again));
    EXPECT_NE(text, created(scheme, "x", other));
    EXPECT_NE(text, created(scheme, "x", one)) << "the same salt twice";
  }
}

TEST(Create, RefusesPasswordsThatNobodyCouldSend) {
  SeededRandom random;
  const std::string longest(kMaxPasswordSize, 'k');
  const struct {
    std::string password;
    const char* why;
  } kCases[] = {{"", "an empty password is not accepted"},
                {longest + "k", "has 129 bytes; accepted are up to 128"},
                {std::string("se\0cret", 7), "NUL, 0x01, TAB, CR or LF"},
                {"se\001cret", "NUL, 0x01, TAB, CR or LF"},
                {"se\tcret", "NUL, 0x01, TAB, CR or LF"},
                {"secret\r", "NUL, 0x01, TAB, CR or LF"},
                {"\nsecret", "NUL, 0x01, TAB, CR or LF"}};
  for (const auto& c : kCases) {
    for (const std::string_view scheme : creatable_schemes()) {
      const auto made = create(scheme, c.password, random);
      ASSERT_FALSE(made) << scheme;
      EXPECT_THAT(made.error().message, HasSubstr(c.why));
      EXPECT_THAT(made.error().message, Not(HasSubstr("cret")));
    }
  }
  EXPECT_TRUE(check_acceptable(longest));
  EXPECT_TRUE(check_acceptable(" \x7f\x02\xff "));
}

TEST(Create, RefusesForBcryptWhatBcryptWouldCutOff) {
  SeededRandom random;
  const auto made = create("BLF-CRYPT", std::string(73, 'k'), random);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("reads only the first 72 bytes"));
}

TEST(Create, NamesWhatItCanMake) {
  SeededRandom random;
  for (const char* scheme : {"", "MD5", "PLAIN", "ARGON2ID.hex", "{ARGON2ID}"}) {
    const auto made = create(scheme, "x", random);
    ASSERT_FALSE(made) << scheme;
    EXPECT_THAT(made.error().message, HasSubstr("accepted are ARGON2ID SHA512-CRYPT BLF-CRYPT"));
  }
}

}  // namespace
}  // namespace saslatch::password
