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

// Memory put by. When an allocation fails anywhere in the process, it is given out, and the
// allocation is tried once more: what is half done then can be finished (a settled attempt written
// down and answered, a stack unwound), while who comes next is turned away. One at a time, since
// the C++ library knows one handler of a process.
class MemoryReserve {
 public:
  explicit MemoryReserve(size_t bytes);
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;

  // Puts by again what was given out. False: there is no memory for it yet.
  bool refill();

 private:
  const size_t bytes_;
};

// The cores that the calling thread may run on, at least 1: fewer than the machine has in a
// container's cpuset, under AllowedCPUs= of systemd and under taskset(1). A thread for each core of
// the machine would there only take turns with the others.
unsigned usable_cores();

// Of this process, as the kernel counts it; 0 where it does not say.
uint64_t resident_memory_bytes();

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_ENVIRONMENT_H_
