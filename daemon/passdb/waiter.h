#ifndef SASLATCH_DAEMON_PASSDB_WAITER_H_
#define SASLATCH_DAEMON_PASSDB_WAITER_H_

#include <chrono>
#include <functional>

namespace saslatch::passdb {

// How a thread of a ConnectionPool waits for a server: until it answers, the time is over, or the
// pool ends. Thread-safe.
class Waiter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Woke { kReady, kTimedOut, kStopped };

  explicit Waiter(std::function<Time()> clock);
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Until `fd` has one of `events` of poll(2), or an error.
  [[nodiscard]] Woke wait(int fd, short events, Time deadline) const;
  [[nodiscard]] Time now() const { return clock_(); }
  // Ends every wait, now and later.
  void stop();

 private:
  const std::function<Time()> clock_;
  int stop_event_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_WAITER_H_
