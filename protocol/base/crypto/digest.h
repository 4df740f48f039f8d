#ifndef SASLATCH_PROTOCOL_BASE_CRYPTO_DIGEST_H_
#define SASLATCH_PROTOCOL_BASE_CRYPTO_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/secret.h"

namespace saslatch {

enum class Hash { kMd5, kSha1, kSha256, kSha512 };

// Bytes in a digest of `hash`.
size_t digest_size(Hash hash);

// H(first || second), raw bytes. The second part saves the callers that add a salt a copy of the
// secret. Throws std::bad_alloc only; thread-safe, as is everything here.
std::string digest(Hash hash, std::string_view first, std::string_view second = {});

// HMAC (RFC 2104), raw bytes.
std::string hmac(Hash hash, std::string_view key, std::string_view message);

// PBKDF2 (RFC 8018, section 5.2) with HMAC. `iterations` and `size` are at least 1: the caller has
// bounded them, since they decide how long this runs.
Secret pbkdf2(Hash hash, std::string_view password, std::string_view salt, uint32_t iterations,
              size_t size);

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_CRYPTO_DIGEST_H_
