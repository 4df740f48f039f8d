#ifndef SASLATCH_TESTS_DAEMON_PASSWORD_SEEDED_RANDOM_H_
#define SASLATCH_TESTS_DAEMON_PASSWORD_SEEDED_RANDOM_H_

#include <random>

#include "protocol/base/random.h"

namespace saslatch::password {

// The same bytes in every run.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(unsigned seed = 0) : engine_(seed) {}
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_;
};

}  // namespace saslatch::password

#endif  // SASLATCH_TESTS_DAEMON_PASSWORD_SEEDED_RANDOM_H_
