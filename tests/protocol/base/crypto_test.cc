#include <gtest/gtest.h>

#include "protocol/base/base64.h"
#include "protocol/base/crypto/aead.h"
#include "protocol/base/crypto/constant_time.h"
#include "protocol/base/crypto/cram_md5_context.h"
#include "protocol/base/crypto/digest.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch {
namespace {

TEST(Digest, MatchesTheStandardsVectors) {
  // RFC 1321 and FIPS 180-4, for "abc".
  EXPECT_EQ(hex_encode(digest(Hash::kMd5, "abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex_encode(digest(Hash::kSha1, "a", "bc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex_encode(digest(Hash::kSha256, "abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest(Hash::kSha512, "abc").size(), digest_size(Hash::kSha512));
  // RFC 2202, case 2.
  EXPECT_EQ(hex_encode(hmac(Hash::kMd5, "Jefe", "what do ya want for nothing?")),
            "750c783e6ab0b503eaa86e310a5db738");
  // RFC 6070, case 2; RFC 7914, section 11, case 1.
  EXPECT_EQ(hex_encode(pbkdf2(Hash::kSha1, "password", "salt", 2, 20).reveal()),
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
  EXPECT_EQ(hex_encode(pbkdf2(Hash::kSha256, "passwd", "salt", 1, 64).reveal()),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
            "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}

TEST(ConstantTimeEqual, ComparesAllOfBoth) {
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_TRUE(constant_time_equal("secret", "secret"));
  EXPECT_FALSE(constant_time_equal("secret", "secreT"));
  EXPECT_FALSE(constant_time_equal("secret", "secret "));
}

TEST(CramMd5Context, IsWhatDovecotStores) {
  const auto context = CramMd5Context::from_password("tanstaaftanstaaf");
  EXPECT_EQ(hex_encode(context.reveal()),
            "d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b");
  EXPECT_EQ(hex_encode(context.hmac("<1896.697170952@postoffice.reston.mci.net>")),
            "b913a602c7eda7a495b4e6e7334d3890");  // RFC 2195, section 2
}

TEST(CramMd5Context, KnowsTheOneOfTheEmptyPassword) {
  EXPECT_TRUE(CramMd5Context::from_password("").is_of_empty_password());
  EXPECT_FALSE(CramMd5Context::from_password("x").is_of_empty_password());
}

TEST(CramMd5Context, GivesTheHmacOfEveryKeyLength) {
  for (const size_t size : {0u, 1u, 63u, 64u, 65u, 200u}) {
    const std::string key(size, 'k');
    const auto stored = CramMd5Context::from_password(key);
    const auto loaded = CramMd5Context::from_bytes(stored.reveal());
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->hmac("challenge"), hmac(Hash::kMd5, key, "challenge")) << size;
  }
  EXPECT_FALSE(CramMd5Context::from_bytes(std::string(31, 'x')));
}

TEST(Sealed, OpensOnlyWithItsKeyItsPlaceAndAllItsBytes) {
  SystemRandom random;
  const Secret key(std::string(kAeadKeySize, 'k'));
  const std::string sealed = seal(key, "context", "alice", random);
  ASSERT_TRUE(open_sealed(key, sealed, "alice"));
  EXPECT_EQ(open_sealed(key, sealed, "alice")->reveal(), "context");
  EXPECT_NE(sealed, seal(key, "context", "alice", random)) << "the nonce is not fresh";
  EXPECT_FALSE(open_sealed(key, sealed, "bob"));
  EXPECT_FALSE(open_sealed(Secret(std::string(kAeadKeySize, 'x')), sealed, "alice"));
  EXPECT_FALSE(open_sealed(Secret("short"), sealed, "alice"));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string damaged = sealed;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(open_sealed(key, damaged, "alice")) << "byte " << i;
    EXPECT_FALSE(open_sealed(key, sealed.substr(0, i), "alice")) << "cut at " << i;
  }
}

TEST(Random, BelowReachesAllValuesAndNoOther) {
  SystemRandom random;
  bool seen[5] = {};
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = random.below(5);
    ASSERT_LT(value, 5u);
    seen[value] = true;
  }
  for (const bool s : seen) EXPECT_TRUE(s);  // misses one with probability 5 * 0.8^1000
}

}  // namespace
}  // namespace saslatch
