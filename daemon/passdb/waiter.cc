#include "daemon/passdb/waiter.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace saslatch::passdb {

Waiter::Waiter(std::function<Time()> clock)
    : clock_(std::move(clock)), stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Waiter::~Waiter() {
  if (stop_event_ >= 0) close(stop_event_);
}

Waiter::Woke Waiter::wait(int fd, short events, Time deadline) const {
  while (true) {
    // Rounded up, so that no wait ends before its deadline and is then repeated for nothing.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_());
    pollfd wanted[] = {{fd, events, 0}, {stop_event_, POLLIN, 0}};
    const int woken =
        poll(wanted, 2, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000)));
    if (woken < 0 && errno != EINTR) return Woke::kTimedOut;
    if (woken > 0 && wanted[1].revents != 0) return Woke::kStopped;
    if (woken > 0 && wanted[0].revents != 0) return Woke::kReady;
    if (clock_() >= deadline) return Woke::kTimedOut;
  }
}

void Waiter::stop() {
  const uint64_t one = 1;
  if (stop_event_ >= 0) (void)!write(stop_event_, &one, sizeof one);
}

}  // namespace saslatch::passdb
