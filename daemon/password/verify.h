#ifndef SASLATCH_DAEMON_PASSWORD_VERIFY_H_
#define SASLATCH_DAEMON_PASSWORD_VERIFY_H_

#include <string_view>

#include "daemon/password/stored_password.h"

namespace saslatch::password {

enum class Check {
  kMatch,
  kMismatch,
  kUnusable,  // this credential cannot answer: a hash the system's libraries refuse to compute, or
              // for CRAM-MD5 a scheme that cannot serve it. Nobody is let in by it.
  kNoMemory,  // the memory the hash asks for is not to be had now: our trouble, temporary
};

// Whether `password` is the one stored. An empty one never is, nor one that holds a NUL byte or is
// longer than kMaxPasswordSize: those are mismatches without a computation. Compares in constant
// time. Takes as long as the stored parameters say, up to seconds: where is_slow(), only on a
// worker. Thread-safe.
[[nodiscard]] Check verify(const StoredPassword& stored, std::string_view password);

// Whether `digest` (16 raw bytes, else a mismatch) is HMAC-MD5(password, challenge), RFC 2195. Only
// a plaintext or a CRAM-MD5 context can tell; for the rest kUnusable, which is no fault of the
// hash. Always fast.
[[nodiscard]] Check verify_cram_md5(const StoredPassword& stored, std::string_view challenge,
                                    std::string_view digest);

// True for what is slow by design (crypt, Argon2, PBKDF2, SCRAM). The others take microseconds and
// may be checked on an event loop.
[[nodiscard]] bool is_slow(const StoredPassword& stored);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_VERIFY_H_
