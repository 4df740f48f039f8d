#include "protocol/base/crypto/system_random.h"

#include <sys/random.h>

#include <cerrno>
#include <stdexcept>

namespace saslatch {

void SystemRandom::fill(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<size_t>(got));
    } else if (errno != EINTR) {
      throw std::runtime_error("the system's random generator failed");
    }
  }
}

}  // namespace saslatch
