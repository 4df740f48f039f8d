#include "daemon/net/service_manager.h"

#ifdef SASLATCH_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace saslatch::net {

#ifdef SASLATCH_HAVE_SYSTEMD

void notify_service_manager(const std::string& state) { sd_notify(0, state.c_str()); }

std::optional<std::chrono::microseconds> watchdog_interval() {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

#else

void notify_service_manager(const std::string&) {}

std::optional<std::chrono::microseconds> watchdog_interval() { return std::nullopt; }

#endif

}  // namespace saslatch::net
