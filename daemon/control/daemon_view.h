#ifndef SASLATCH_DAEMON_CONTROL_DAEMON_VIEW_H_
#define SASLATCH_DAEMON_CONTROL_DAEMON_VIEW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/passdb/passdb.h"
#include "daemon/policy/shared.h"
#include "daemon/session/now.h"

namespace saslatch::control {

struct ListenerStatus {
  std::string name;      // of [listen.NAME]
  std::string protocol;  // dovecot, dovecot-master, saslauthd, metrics
  std::string socket;    // of the configuration: a path, or ADDRESS:PORT
  // Where clients find it: `socket`, or what systemd gave it instead.
  std::vector<std::string> addresses;
  bool inherited = false;  // from systemd
  bool accepting = true;   // false: paused, as no descriptor is left
  uint64_t connections = 0;
};

// Whether something is written where it should be; `trouble` says why not, empty while it is.
struct StoreStatus {
  std::string path;  // empty: nothing is stored
  std::string trouble;
};

// What only the wiring knows of the running daemon.
struct DaemonStatus {
  uint64_t pid = 0;
  Wall started{};
  std::string config;  // path of the configuration in force
  Wall config_loaded{};
  std::string user;         // that it runs as
  std::string policy_mode;  // enforce, observe
  std::string preset;
  std::vector<ListenerStatus> listeners;
  std::vector<passdb::PassdbStatus> passdbs;  // in file order
  StoreStatus state;                          // the policy's journal
  StoreStatus shared;                         // its server, where hosts count together; else empty
  StoreStatus audit;
};

// What became of a reload. With errors the old configuration stays in force, all of it.
struct ReloadReport {
  std::vector<std::string> errors;         // each with file, line and key
  std::vector<std::string> warnings;       // of the configuration that is now in force
  std::vector<std::string> needs_restart;  // keys that changed but take effect at the next start
};

// The running daemon as its administrator's commands see and move it. Implemented by the wiring.
// Called from the thread that runs control sessions only.
class DaemonView {
 public:
  virtual ~DaemonView() = default;

  [[nodiscard]] virtual DaemonStatus status() const = 0;

  // Reads the configuration anew and puts it in force, or nothing of it. May take as long as
  // loading a large passwd-file.
  virtual ReloadReport reload(Now now) = 0;

  // Waits until the engine's journal has this number on disk, as long as it can be written at all:
  // what an administrator is told is done survives kill -9.
  virtual void wait_until_stored(uint64_t journalled) = 0;
  // The same for all that the engine has journalled by now.
  virtual void wait_until_all_stored() = 0;

  // What all hosts have counted, where they count together; kNoAnswer where they don't, or in a
  // moment cannot be asked. Waits for that moment.
  virtual policy::SharedReply ask_together(policy::SharedRequest request) = 0;

  // Somebody changed codes or accounts in users.db: what is remembered of it is refreshed.
  virtual void users_changed() = 0;

  // The name as a login with it would be counted ([usernames]); nullopt if such a name is refused.
  [[nodiscard]] virtual std::optional<std::string> normalise(std::string_view name) const = 0;
};

}  // namespace saslatch::control

#endif  // SASLATCH_DAEMON_CONTROL_DAEMON_VIEW_H_
