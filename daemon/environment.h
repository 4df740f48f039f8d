#ifndef SASLATCH_DAEMON_ENVIRONMENT_H_
#define SASLATCH_DAEMON_ENVIRONMENT_H_

#include <cstdint>
#include <vector>

#include "daemon/config/check.h"

namespace saslatch {

// The machine as --check and a reload ask about it. Creates nothing.
class RealEnvironment final : public config::SystemEnvironment {
 public:
  // A passdb of `running` that is configured just so is not asked about: that it is down at the
  // moment does not make the configuration wrong.
  explicit RealEnvironment(std::vector<config::PassdbConfig> running = {});

  Trouble scheme(const std::string& name) override;
  Trouble passdb(const config::PassdbConfig& passdb, const config::Config& config) override;

 private:
  std::vector<config::PassdbConfig> running_;
};

// Of this process, as the kernel counts it; 0 where it does not say.
uint64_t resident_memory_bytes();

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_ENVIRONMENT_H_
