#ifndef SASLATCH_DAEMON_SESSION_STALE_WATCH_H_
#define SASLATCH_DAEMON_SESSION_STALE_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/passdb/verifier.h"
#include "daemon/session/now.h"
#include "protocol/base/ip_address.h"

namespace saslatch {

// A credential that lets nobody in and is tried again and again from one source.
struct SpentTries {
  std::string account;
  std::string credential;  // "password", or the code as code_credential() has it
  passdb::Spent::Why why = passdb::Spent::Why::kRevoked;
  std::optional<IpAddress> rip;
  Wall first{};  // of those seen in a row
  Wall last{};
  uint64_t count = 0;
};

// What `explain` tells of the devices that still use what was revoked, expired or replaced. In
// memory only, kMost of them, the one seen longest ago goes first; forgotten kRemembered after the
// last try. Thread-safe.
class StaleWatch {
 public:
  static constexpr size_t kMost = 10'000;
  static constexpr std::chrono::hours kRemembered{48};
  // One audit event for each of them in so long.
  static constexpr std::chrono::hours kEvery{1};

  // True if an audit event is due.
  bool note(std::string_view account, const passdb::Spent& spent,
            const std::optional<IpAddress>& rip, Wall now);

  // Of that account, or from that network, where given; newest first.
  [[nodiscard]] std::vector<SpentTries> tries(std::optional<std::string_view> account,
                                              const std::optional<Network>& network,
                                              Wall now) const;

 private:
  struct Entry {
    SpentTries tries;
    Wall told{};
  };
  using Entries = std::list<std::pair<std::string, Entry>>;  // the newest in front

  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // of strings in entries_
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_STALE_WATCH_H_
