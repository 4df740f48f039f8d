#ifndef SASLATCH_PROTOCOL_BASE_CRYPTO_CRAM_MD5_CONTEXT_H_
#define SASLATCH_PROTOCOL_BASE_CRYPTO_CRAM_MD5_CONTEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/secret.h"

namespace saslatch {

// The state of HMAC-MD5 after its two key blocks: 32 bytes, outer state before inner, each as four
// little-endian words. It is what Dovecot stores as {CRAM-MD5}. Whoever holds it can log in with
// CRAM-MD5 but does not know the password, so it is guarded like one.
class CramMd5Context {
 public:
  static constexpr size_t kSize = 32;

  // From the plaintext password (RFC 2104: longer than 64 bytes is digested first).
  static CramMd5Context from_password(std::string_view password);

  // From the stored 32 raw bytes; nullopt for any other length.
  static std::optional<CramMd5Context> from_bytes(std::string_view bytes);

  // The 32 bytes to store, borrowed.
  [[nodiscard]] std::string_view reveal() const { return bytes_.reveal(); }

  // Whether it is the one context that everybody knows.
  [[nodiscard]] bool is_of_empty_password() const;

  // HMAC-MD5(password, message): 16 raw bytes.
  [[nodiscard]] std::string hmac(std::string_view message) const;

 private:
  explicit CramMd5Context(Secret bytes) : bytes_(std::move(bytes)) {}

  Secret bytes_;
};

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_CRYPTO_CRAM_MD5_CONTEXT_H_
