#ifndef SASLATCH_PROTOCOL_BASE_CRYPTO_AEAD_H_
#define SASLATCH_PROTOCOL_BASE_CRYPTO_AEAD_H_

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/random.h"
#include "protocol/base/secret.h"

namespace saslatch {

constexpr size_t kAeadKeySize = 32;

// Seals `plaintext` with AES-256-GCM (NIST SP 800-38D) under `key` (kAeadKeySize bytes). The result
// is nonce (12 bytes, from `random`) || ciphertext || tag (16). `associated` is authenticated but
// not stored: the same bytes must be given to open(), which ties a sealed value to its place.
std::string seal(const Secret& key, std::string_view plaintext, std::string_view associated,
                 Random& random);

// The plaintext; nullopt if key, associated data or any byte of `sealed` is not the one sealed
// with.
std::optional<Secret> open_sealed(const Secret& key, std::string_view sealed,
                                  std::string_view associated);

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_CRYPTO_AEAD_H_
