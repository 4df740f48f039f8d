#ifndef SASLATCH_PROTOCOL_BASE_CRYPTO_SYSTEM_RANDOM_H_
#define SASLATCH_PROTOCOL_BASE_CRYPTO_SYSTEM_RANDOM_H_

#include "protocol/base/random.h"

namespace saslatch {

// The kernel's generator, getrandom(2). OpenSSL's costs a fifth of a CRAM-MD5 login's instructions
// for the eight bytes of its challenge. Thread-safe.
class SystemRandom final : public Random {
 public:
  // Throws std::runtime_error if the system has no entropy to give: nothing secret can be made
  // then.
  void fill(std::span<uint8_t> bytes) override;
};

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_CRYPTO_SYSTEM_RANDOM_H_
