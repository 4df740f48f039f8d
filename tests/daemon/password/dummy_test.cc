#include "daemon/password/dummy.h"

#include <gtest/gtest.h>

#include "daemon/password/create.h"
#include "daemon/password/limits.h"
#include "daemon/password/verify.h"
#include "protocol/base/base64.h"
#include "tests/daemon/password/seeded_random.h"
#include "tests/daemon/password/vectors.h"

namespace saslatch::password {
namespace {

// Everything that decides what a check costs, as text, so that a difference can be read.
class Cost {
 public:
  std::string operator()(const Plaintext&) const { return "compare"; }
  std::string operator()(const TruncatedPlaintext&) const { return "compare"; }
  std::string operator()(const CramMd5&) const { return "HMAC-MD5"; }
  std::string operator()(const SaltedDigest& s) const {
    return "digest of " + std::to_string(s.digest.size()) + ", salt " +
           std::to_string(s.salt.size());
  }
  std::string operator()(const Crypt& s) const {
    return s.hashed.substr(0, s.method == CryptMethod::kDes ? 0 : s.salt_begin) + " salt " +
           std::to_string(s.salt_size) + " of " + std::to_string(s.hashed.size());
  }
  std::string operator()(const Argon2& s) const {
    return s.encoded.substr(0, s.encoded.find('$', 16)) + " salt " + std::to_string(s.salt_size) +
           " hash " + std::to_string(s.hash_size);
  }
  std::string operator()(const Pbkdf2& s) const {
    return "PBKDF2 " + std::to_string(s.iterations) + " salt " + std::to_string(s.salt.size());
  }
  std::string operator()(const Scram& s) const {
    return "SCRAM " + std::to_string(s.iterations) + " of " + std::to_string(s.stored_key.size()) +
           " salt " + std::to_string(s.salt.size());
  }
};

TEST(DummyLike, CostsTheSameAndMatchesNothing) {
  SeededRandom random;
  for (const char* file : {"doveadm.txt", "foreign.txt"}) {
    for (const auto& row : read_rows(file, 2)) {
      const auto stored = parse(row[1], "");
      ASSERT_TRUE(stored) << row[1];
      const std::string text = dummy_like(*stored, random);
      const auto dummy = parse(text, "");
      ASSERT_TRUE(dummy) << row[1] << " became " << text << ": " << dummy.error().message;
      EXPECT_EQ(std::visit(Cost(), *dummy), std::visit(Cost(), *stored));
      EXPECT_EQ(verify(*dummy, row[0]), Check::kMismatch) << row[1] << " became " << text;
      EXPECT_NE(text, dummy_like(*stored, random)) << "the same salt twice";
    }
  }
}

TEST(DummyLike, HoldsNothingOfTheRealOne) {
  SeededRandom random;
  const auto stored = parse(
      "{CRYPT}$6$saltstring$hitX40AsX91LfrgfyWiA7hqXb.iu7KxcYOMpo2DsJPdpzpQkHPzdjo."
      "YBVr9cxVFSBHMa8eKgPyXSLuNyUPZo1",
      "");
  ASSERT_TRUE(stored);
  const std::string text = dummy_like(*stored, random);
  EXPECT_EQ(text.find("saltstrin"), std::string::npos);
  EXPECT_EQ(text.find("hitX40"), std::string::npos);
  EXPECT_EQ(dummy_like(*parse("{PLAIN}secret", ""), random).find("secret"), std::string::npos);
}

// A stored password may be as long as may be without its scheme, or with a shorter name of it.
TEST(DummyLike, CanBeReadHoweverLongTheSalt) {
  SeededRandom random;
  const std::string digest16(16, 'd'), digest20(20, 'd'), digest32(32, 'd');
  const auto longest = [](std::string_view before, std::string_view unit, std::string_view after) {
    std::string text(before);
    while (text.size() + unit.size() + after.size() <= kMaxStoredSize) text += unit;
    return text.append(after);
  };
  const std::string rows[] = {
      longest("{SMD5}" + base64_encode(digest16 + "xx"), "AAAA", ""),
      longest("{SSHA256}" + base64_encode(digest32 + "x"), "AAAA", ""),
      longest("{PBKDF2}$1$", "s", "$5000$" + hex_encode(digest20)),
      longest("{SCRAM-SHA-256}4096,", "AAAA",
              "," + base64_encode(digest32) + "," + base64_encode(digest32)),
  };
  for (const std::string& row : rows) {
    const auto stored = parse(row, "");
    ASSERT_TRUE(stored) << row << ": " << stored.error().message;
    const auto dummy = parse(dummy_like(*stored, random), "");
    ASSERT_TRUE(dummy) << row << ": " << dummy.error().message;
    EXPECT_EQ(dummy->index(), stored->index()) << row;
  }
}

TEST(DefaultDummy, CostsWhatANewPasswordCosts) {
  SeededRandom random;
  const auto created = create(creatable_schemes().front(), "x", random);
  ASSERT_TRUE(created);
  const auto real = parse(created->reveal(), "");
  const auto dummy = parse(default_dummy(random), "");
  ASSERT_TRUE(real && dummy);
  EXPECT_EQ(std::visit(Cost(), *dummy), std::visit(Cost(), *real));
  EXPECT_EQ(verify(*dummy, "x"), Check::kMismatch);
}

}  // namespace
}  // namespace saslatch::password
