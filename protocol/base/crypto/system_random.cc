#include "protocol/base/crypto/system_random.h"

#include <openssl/rand.h>

#include <stdexcept>

namespace saslatch {

void SystemRandom::fill(std::span<uint8_t> bytes) {
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw std::runtime_error("the system's random generator failed");
  }
}

}  // namespace saslatch
