#ifndef SASLATCH_PROTOCOL_BASE_RANDOM_H_
#define SASLATCH_PROTOCOL_BASE_RANDOM_H_

#include <cstdint>
#include <span>

namespace saslatch {

// Where nonces, salts, cookies and jitter come from. Passed in, so that a test can replay the
// vectors of an RFC through the real code. The system's is crypto/system_random.h.
class Random {
 public:
  virtual ~Random() = default;

  // Fills all of `bytes`; never returns less. Thread-safe.
  virtual void fill(std::span<uint8_t> bytes) = 0;

  // A value in [0, bound), without the bias of a plain remainder. `bound` is not 0.
  uint64_t below(uint64_t bound) {
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value = 0;
    do {
      uint8_t bytes[sizeof value];
      fill(bytes);
      value = 0;
      for (const uint8_t byte : bytes) value = value << 8 | byte;
    } while (value >= limit);
    return value % bound;
  }
};

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_RANDOM_H_
