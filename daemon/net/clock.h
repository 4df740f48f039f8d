#ifndef SASLATCH_DAEMON_NET_CLOCK_H_
#define SASLATCH_DAEMON_NET_CLOCK_H_

#include "daemon/session/now.h"

namespace saslatch::net {

// The only place that asks the system for the time. Thread-safe.
class Clock final : public TimeSource {
 public:
  Clock() : started_mono_(std::chrono::steady_clock::now()), started_wall_(system_now()) {}

  [[nodiscard]] Now read() const override {
    const Mono mono = std::chrono::steady_clock::now();
    return {mono, system_now(),
            started_wall_ +
                std::chrono::duration_cast<std::chrono::microseconds>(mono - started_mono_)};
  }

 private:
  static Wall system_now() {
    return std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now());
  }

  Mono started_mono_;
  Wall started_wall_;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_CLOCK_H_
