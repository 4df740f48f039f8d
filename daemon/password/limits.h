#ifndef SASLATCH_DAEMON_PASSWORD_LIMITS_H_
#define SASLATCH_DAEMON_PASSWORD_LIMITS_H_

#include <cstddef>

namespace saslatch::password {

// The longest password that is set or checked: libxcrypt's CRYPT_MAX_PASSPHRASE_SIZE, and with it
// the longest that every scheme can tell from another. Longer ones match nothing.
constexpr size_t kMaxPasswordSize = 512;

// The longest stored password that is read: four times what the longest real ones need (SCRAM, or a
// plaintext of kMaxPasswordSize in hexadecimal).
constexpr size_t kMaxStoredSize = 4096;

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_LIMITS_H_
