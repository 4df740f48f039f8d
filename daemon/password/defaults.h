#ifndef SASLATCH_DAEMON_PASSWORD_DEFAULTS_H_
#define SASLATCH_DAEMON_PASSWORD_DEFAULTS_H_

#include <cstddef>
#include <cstdint>

#include "daemon/password/argon2_string.h"

namespace saslatch::password {

// The cost of what create() makes. A mail program authenticates each message it sends, often anew,
// so a check is to take some 25 to 75 ms of a core: dozens of logins a second, while whoever steals
// the database still pays that for each guess. Measured beside limits.h's figures.

// OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane; 24 ms. The next step,
// libsodium's "interactive" (64 MiB), takes 90 ms and, with a thread a core, a gigabyte on 16
// cores.
constexpr Argon2Parameters kNewArgon2{true, 19456, 2, 1};
constexpr size_t kArgon2HashSize = 32;

// 38 ms. Ten times crypt(3)'s own default, which is of 2007.
constexpr uint32_t kNewShaCryptRounds = 50'000;

// OWASP's least; 76 ms. Dovecot's default, 5, takes 2.5 ms.
constexpr uint32_t kNewBcryptCost = 10;
constexpr size_t kBcryptReads = 72;

// Here the client pays as well, so this is not OWASP's number but between RFC 7677's least (4096)
// and that; 9 ms.
constexpr uint32_t kNewScramIterations = 15'000;

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_DEFAULTS_H_
