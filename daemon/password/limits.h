#ifndef SASLATCH_DAEMON_PASSWORD_LIMITS_H_
#define SASLATCH_DAEMON_PASSWORD_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace saslatch::password {

// What one check may cost. A stored password is data from an administrator, an import or a foreign
// program, and its parameters decide how long a worker is busy; a mail server waits 4.5 s at most
// (max-hold). So the limits are set where one core of 2020 needs about a second for a password of
// ordinary length and 2.5 s for one of kMaxPasswordSize: hardware of half that speed still
// answers in time, and what other programs write by default is well inside. The times below were
// measured on one such core.

// The longest password that is set or checked; longer ones match nothing. OWASP ASVS 4, 2.1.2: more
// than 128 characters are denied. The time of SHA-crypt grows with the length, at this one to
// threefold, so a guesser must not be free to choose it.
constexpr size_t kMaxPasswordSize = 128;

// The longest stored password that is read: four times the longest real one (a plaintext of
// kMaxPasswordSize in hexadecimal, SCRAM with a long salt).
constexpr size_t kMaxStoredSize = 1024;

// SHA256-CRYPT and SHA512-CRYPT: 0.8 s. The least is the format's own; Python's passlib writes
// 656000.
constexpr uint32_t kMinShaCryptRounds = 1000;
constexpr uint32_t kMaxShaCryptRounds = 1'000'000;

// bcrypt, the binary logarithm of the rounds: 1.2 s. The least is the format's own.
constexpr uint32_t kMinBcryptCost = 4;
constexpr uint32_t kMaxBcryptCost = 14;

// Argon2, yescrypt, scrypt: what one check may hold. Every hash thread may need as much at a time.
// libsodium's "moderate" is just this.
constexpr uint64_t kMaxMemoryKib = uint64_t{256} * 1024;

// Argon2 memory x passes, scrypt memory x lanes: 0.8 s. libsodium's "moderate" is three quarters.
constexpr uint64_t kMaxMemoryKibPasses = uint64_t{1024} * 1024;

// Argon2 lanes. libsodium computes them one after the other, so they cost nothing more.
constexpr uint32_t kMaxArgon2Lanes = 64;

// PBKDF2 and SCRAM: 1.2 s. OWASP asks 1300000 of PBKDF2-HMAC-SHA1.
constexpr uint32_t kMaxIterations = 2'000'000;

// RFC 5802, section 5.1, and RFC 7677, section 4; Dovecot refuses less as well.
constexpr uint32_t kMinScramIterations = 4096;

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_LIMITS_H_
