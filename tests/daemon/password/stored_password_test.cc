#include "daemon/password/stored_password.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/password/limits.h"
#include "daemon/password/verify.h"
#include "tests/daemon/password/vectors.h"

namespace saslatch::password {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StoredPassword, SaysOfEachDamagedHashWhatIsWrong) {
  for (const auto& row : read_rows("damaged.txt", 2)) {
    const auto stored = parse(row[0], "CRYPT");
    ASSERT_FALSE(stored) << row[0];
    EXPECT_THAT(stored.error().message, HasSubstr(row[1])) << row[0];
  }
}

TEST(StoredPassword, QuotesNoPartOfTheDataInAnError) {
  // A plaintext whose user began it with a brace reads like a scheme that nobody knows.
  for (const char* text :
       {"{tops}ecretword", "{PLAIN.hex}topsecret", "{SHA}topsecret", "{CRYPT}topsecret",
        "{ARGON2ID}topsecret", "{SCRAM-SHA-1}topsecret", "{tops.ecret}word", "{SHA.topsecret}"}) {
    const auto stored = parse(text, "PLAIN");
    ASSERT_FALSE(stored) << text;
    EXPECT_THAT(stored.error().message, Not(HasSubstr("tops")));
    EXPECT_THAT(stored.error().message, Not(HasSubstr("ecret")));
  }
}

TEST(StoredPassword, HasTheDefaultSchemeOnlyWithoutItsOwn) {
  const struct {
    const char* text;
    const char* default_scheme;
    const char* prefixed;
    const char* password;
  } kCases[] = {
      {"secret", "PLAIN", "{PLAIN}secret", "secret"},
      {"secret", "plain", "{plain}secret", "secret"},
      {"736563726574", "PLAIN.hex", "{PLAIN.hex}736563726574", "secret"},
      {"5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"},
      {"{PLAIN}secret", "SHA", "{PLAIN}secret", "secret"},
      {"{ClearText}secret", "", "{ClearText}secret", "secret"},
      // No prefix without its end, and no second one.
      {"{secret", "PLAIN", "{PLAIN}{secret", "{secret"},
      {"{PLAIN}{SHA}x", "CRYPT", "{PLAIN}{SHA}x", "{SHA}x"},
      // Whatever the default: crypt's oldest dollar form names itself.
      {"$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1", "PLAIN",
       "{MD5-CRYPT}$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1", "Hello world!"},
      {"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "CRYPT",
       "{CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(with_scheme(c.text, c.default_scheme), c.prefixed);
    for (const std::string& text : {std::string(c.text), std::string(c.prefixed)}) {
      const auto stored = parse(text, c.default_scheme);
      ASSERT_TRUE(stored) << text << ": " << stored.error().message;
      EXPECT_EQ(verify(*stored, c.password), Check::kMatch) << text;
    }
  }
  EXPECT_FALSE(parse("secret", ""));
}

TEST(StoredPassword, TakesSchemeAndEncodingInEitherCase) {
  for (const char* text : {"{sha.HEX}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
                           "{Sha1.Hex}E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4",
                           "{sHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
                           "{SHA.bAsE64}5en6G6MezRroT3XKqkdPOmY/BfQ="}) {
    const auto stored = parse(text, "");
    ASSERT_TRUE(stored) << text << ": " << stored.error().message;
    EXPECT_EQ(verify(*stored, "secret"), Check::kMatch) << text;
  }
}

// Dovecot calls crypt(3) for all of its family, so a passwd-file may hold any of these.
TEST(StoredPassword, LetsCryptSchemesHoldEachOthersHashes) {
  const std::string sha256 = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
  for (const char* scheme : {"{CRYPT}", "{SHA256-CRYPT}", "{SHA512-CRYPT}", "{DES-CRYPT}"}) {
    const auto stored = parse(scheme + sha256, "");
    ASSERT_TRUE(stored) << scheme;
    EXPECT_EQ(verify(*stored, "Hello world!"), Check::kMatch) << scheme;
  }
}

TEST(StoredPassword, IsBoundedInLength) {
  EXPECT_TRUE(parse("{PLAIN}" + std::string(kMaxPasswordSize, 'x'), ""));
  EXPECT_THAT(parse("{PLAIN}" + std::string(kMaxPasswordSize + 1, 'x'), "").error().message,
              HasSubstr("longer than the 128 bytes that are checked"));
  const std::string digest = "{SSHA.hex}" + std::string(40, 'a');
  EXPECT_TRUE(parse(digest + std::string(kMaxStoredSize - digest.size(), 'b'), ""));
  EXPECT_THAT(parse(digest + std::string(kMaxStoredSize, 'b'), "").error().message,
              HasSubstr("longer than 1024 bytes"));
}

TEST(StoredPassword, AtItsLimitsIsStillAccepted) {
  const std::string sha512 =
      "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.";
  const std::string bcrypt = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  const std::string yescrypt =
      "$LdJMENpBABJJ3hIHjB1Bi.$iofk68xbXBoXKsxTyMBCh2qkQuzQZ2Zik521F9TsTq6";
  const std::string argon2 = ",p=1$c29tZXNhbHQxMjM0NQ$5dNiV6ElmNOkgJ9ghcAdkA";
  for (const std::string& text :
       {"{CRYPT}$6$rounds=1000$saltstringsaltst$" + sha512,
        "{CRYPT}$6$rounds=1000000$saltstringsaltst$" + sha512, "{CRYPT}$6$$" + sha512,
        "{CRYPT}$2y$04$" + bcrypt, "{CRYPT}$2y$14$" + bcrypt, "{CRYPT}$y$jDT" + yescrypt,
        "{ARGON2}$argon2id$v=19$m=262144,t=4" + argon2,
        "{ARGON2}$argon2i$v=19$m=8,t=131072" + argon2,
        std::string("{PBKDF2}$1$s$2000000$59d7c70f16dee7a4bd6d1aec7b1425de51c463c7"),
        std::string("{PBKDF2}$1$s$1$59d7c70f16dee7a4bd6d1aec7b1425de51c463c7")}) {
    const auto stored = parse(text, "");
    EXPECT_TRUE(stored) << text << ": " << stored.error().message;
  }
}

}  // namespace
}  // namespace saslatch::password
