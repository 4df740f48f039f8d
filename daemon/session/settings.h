#ifndef SASLATCH_DAEMON_SESSION_SETTINGS_H_
#define SASLATCH_DAEMON_SESSION_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/passdb/verifier.h"
#include "daemon/session/username.h"
#include "protocol/sasl/registry.h"

namespace saslatch {

// What [listen.NAME] says to its sessions.
struct ListenerSettings {
  std::string name;
  bool plaintext_needs_tls = true;
  // on-temporary-failure = disconnect: Postfix and Exim understand nothing else as temporary.
  bool disconnect_on_temporary = true;
};

// The part of the configuration that sessions follow. Constant once made; a reload makes another
// one, and each attempt keeps to the one it began with.
struct Settings {
  sasl::Registry mechanisms;
  std::shared_ptr<const passdb::Verifier> verifier;
  UsernameRules usernames;
  std::string hostname;  // ours, in CRAM-MD5 challenges
  // Of `nobody`, for USER where a passdb has no uid and gid.
  uint32_t nobody_uid = 65534;
  uint32_t nobody_gid = 65534;
  std::chrono::milliseconds failure_delay{1500};
  std::chrono::milliseconds max_hold{4500};
  std::map<std::string, ListenerSettings, std::less<>> listeners = {};
  int max_codes = 25;  // [codes] max-per-account

  // The settings of a listener; a reload may have removed it while its clients are still here, and
  // then the defaults hold.
  [[nodiscard]] ListenerSettings listener(std::string_view name) const {
    const auto found = listeners.find(name);
    return found != listeners.end() ? found->second : ListenerSettings{.name = std::string(name)};
  }
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_SETTINGS_H_
