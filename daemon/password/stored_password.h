#ifndef SASLATCH_DAEMON_PASSWORD_STORED_PASSWORD_H_
#define SASLATCH_DAEMON_PASSWORD_STORED_PASSWORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/password/argon2_string.h"
#include "daemon/password/crypt_string.h"
#include "protocol/base/crypto/cram_md5_context.h"
#include "protocol/base/crypto/digest.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::password {

// What a stored password can be, one type for each way to check it; Crypt (CRYPT and all that
// crypt_r(3) computes) and Argon2 have their own headers. All numbers are inside the limits of
// limits.h: whatever parse() returns may be run.

// PLAIN, CLEAR, CLEARTEXT. Empty: matches nothing.
struct Plaintext {
  Secret password;
};

// PLAIN-TRUNC, of which the given password may be longer than what is stored.
struct TruncatedPlaintext {
  Secret prefix;
};

// CRAM-MD5, HMAC-MD5.
struct CramMd5 {
  CramMd5Context context;
};

// H(password || salt): SHA*, SSHA*, SMD5, LDAP-MD5, PLAIN-MD5. The salt is empty for the unsalted.
struct SaltedDigest {
  Hash hash;
  std::string digest;
  std::string salt;
};

// PBKDF2 with HMAC-SHA1; the salt is used as it is written.
struct Pbkdf2 {
  std::string salt;
  uint32_t iterations;
  std::string key;
};

// SCRAM-SHA-1, SCRAM-SHA-256 (RFC 5802, section 3).
struct Scram {
  Hash hash;
  uint32_t iterations;
  std::string salt;
  std::string stored_key;
  std::string server_key;
};

// Moves, does not copy. Holds hashes, and for Plaintext and CramMd5 what is as good as the
// password; destroy it after the check.
using StoredPassword = std::variant<Plaintext, TruncatedPlaintext, CramMd5, SaltedDigest, Crypt,
                                    Argon2, Pbkdf2, Scram>;

// Reads a stored password in Dovecot's form: "{SCHEME}data", "{SCHEME.b64}", "{SCHEME.base64}",
// "{SCHEME.hex}", the name in either case. Text without a prefix is of `default_scheme`, except
// that "$1$..." is always MD5-CRYPT. Without suffix, digests are hexadecimal if they are twice as
// long as the digest, else base64, as Dovecot has it.
//
// An error names the scheme and what is wrong with the data, never the data: an unknown scheme, a
// damaged or cut hash, or a cost beyond the limits. Such a credential lets nobody in; it is not a
// temporary failure. Costs microseconds: nothing is hashed.
Result<StoredPassword> parse(std::string_view text, std::string_view default_scheme);

// `text` with the prefix that parse() would have assumed; as it is if it has one.
std::string with_scheme(std::string_view text, std::string_view default_scheme);
// Whether it begins with one, known or not.
bool has_scheme(std::string_view text);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_STORED_PASSWORD_H_
