#ifndef SASLATCH_DAEMON_SESSION_NOW_H_
#define SASLATCH_DAEMON_SESSION_NOW_H_

#include <chrono>

namespace saslatch {

using Mono = std::chrono::steady_clock::time_point;
using Wall = std::chrono::sys_time<std::chrono::microseconds>;

// One reading of the clocks, taken by net/ once per event and passed down.
struct Now {
  // Waits and deadlines.
  Mono mono;
  // What the system says the time is: for the audit log and for challenges.
  Wall wall;
  // The policy's time: the wall clock at the daemon's start plus the monotonic time since, so that
  // a step of the system's clock neither ends nor lengthens a lock.
  Wall policy;
};

// Where code off the event loops gets its reading from; net/ has the real one. Thread-safe.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  [[nodiscard]] virtual Now read() const = 0;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_NOW_H_
