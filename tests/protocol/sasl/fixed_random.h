#ifndef SASLATCH_TESTS_PROTOCOL_SASL_FIXED_RANDOM_H_
#define SASLATCH_TESTS_PROTOCOL_SASL_FIXED_RANDOM_H_

#include <cstdint>
#include <span>

#include "protocol/base/random.h"

namespace saslatch::sasl {

// Yields the same number each time, its bytes in network order, so that an exchange can be
// replayed.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(uint64_t number) : number_(number) {}

  void fill(std::span<uint8_t> bytes) override {
    uint64_t rest = number_;
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
      *byte = static_cast<uint8_t>(rest);
      rest >>= 8;
    }
  }

 private:
  uint64_t number_;
};

}  // namespace saslatch::sasl

#endif  // SASLATCH_TESTS_PROTOCOL_SASL_FIXED_RANDOM_H_
