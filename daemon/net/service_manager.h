#ifndef SASLATCH_DAEMON_NET_SERVICE_MANAGER_H_
#define SASLATCH_DAEMON_NET_SERVICE_MANAGER_H_

#include <chrono>
#include <optional>
#include <string>

namespace saslatch::net {

// Tells the service manager how we are (sd_notify(3)): "READY=1", "RELOADING=1", "STOPPING=1",
// "WATCHDOG=1", "STATUS=...". Without one, or without libsystemd, does nothing.
void notify_service_manager(const std::string& state);

// How often the service manager wants a sign of life; nullopt: never.
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_SERVICE_MANAGER_H_
