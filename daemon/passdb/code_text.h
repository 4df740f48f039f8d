#ifndef SASLATCH_DAEMON_PASSDB_CODE_TEXT_H_
#define SASLATCH_DAEMON_PASSDB_CODE_TEXT_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/random.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// The text of an authorization code: 16 characters of an alphabet of 32 (80 bits), shown in groups
// of four, "7k4m-q2xd-9s0f-b3hw". The alphabet is Crockford's Base32 in lower case: without i, l, o
// and u, so that nothing shown can be mistaken, and what is typed by mistake is read as meant.
constexpr size_t kCodeSize = 16;
constexpr std::string_view kCodeAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
static_assert(kCodeAlphabet.size() == 32);

// A new code as it is shown. Each character is one of 32 with the same chance.
Secret make_code(Random& random);

// What was typed as the 16 characters that count: blanks and dashes dropped, capitals lowered, o
// read as 0, i and l as 1. nullopt if it can be no code, which most passwords are; costs next to
// nothing then.
std::optional<Secret> normalise_code(std::string_view typed);

// The spellings of a code that a client may use where only a digest of it is seen (CRAM-MD5): as it
// is shown, and the same without dashes. `shown` is of make_code().
constexpr size_t kCodeSpellings = 2;
std::array<Secret, kCodeSpellings> spellings_of(const Secret& shown);

// The keys of what is kept of codes, out of secret.key. Constant; thread-safe.
class CodeKey {
 public:
  static constexpr size_t kHashSize = 16;

  explicit CodeKey(const Secret& secret_key);
  // What is stored of a code (16 characters): HMAC-SHA256 over account and code, cut to 128 bits.
  // Quick, since 80 random bits need no slow hash, and worth nothing without the key.
  [[nodiscard]] std::string hash_code(std::string_view account, std::string_view code) const;
  // The same for an old main password that was recognised once. Of another kind, so that neither
  // can stand for the other.
  [[nodiscard]] std::string hash_old_password(std::string_view account,
                                              std::string_view password) const;

 private:
  Secret key_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_CODE_TEXT_H_
