#ifndef SASLATCH_DAEMON_POLICY_JOURNAL_H_
#define SASLATCH_DAEMON_POLICY_JOURNAL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/policy/rule.h"
#include "protocol/base/ip_address.h"

namespace saslatch::policy {

// The key that turns subjects into the 64-bit keys of the tables, so that nobody outside can make
// two subjects collide. Stored with the state, since stored keys depend on it. Passwords have
// another one, which never leaves the process.
using HashKey = std::array<uint8_t, 16>;

// A lock as it is stored: also what is left of it for 24 h after its end, for growth. `key` says
// which (rule, subject); a later record with the same key replaces it.
struct LockRecord {
  uint64_t key = 0;
  uint64_t rule_id = 0;  // the rule's name and counting definition, hashed; 0: an administrator's
  std::string subject;   // for people; long names are shortened
  std::string reason;    // an administrator's
  Time until;
  Duration lasts{};
  uint32_t level = 1;
};

struct LockCleared {
  uint64_t key = 0;
};

// `network` is familiar to the account since its success at `at`; absent: the source `unknown`.
struct FamiliarRecord {
  uint64_t user_key = 0;
  std::optional<Network> network;
  Time at;
};

struct FamiliarDropped {
  uint64_t user_key = 0;
  std::optional<Network> network;
};

// Every lock and every growth level is gone (`lock clear --all`).
struct LocksCleared {};

using Change = std::variant<LockRecord, LockCleared, FamiliarRecord, FamiliarDropped, LocksCleared>;

// Where changes go that must survive kill -9.
class Journal {
 public:
  virtual ~Journal() = default;

  // Queues `change` behind all earlier ones and returns its number, 1 or more, growing. Called
  // under a lock of the engine from any thread: never blocks on a disk and never calls the engine.
  virtual uint64_t append(const Change& change) = 0;

  // The same of a change for which there was no memory: durable once the whole state is written
  // anew.
  virtual uint64_t append_unsaid() { return 0; }

  // An administrator has cleared everything that is held on the subject with this key: its counters
  // too, of which no Change tells. `locks`: the keys that its locks may have had. As append(). Only
  // who shares counters with other hosts cares.
  virtual void cleared(uint64_t subject, const std::vector<uint64_t>& locks) {
    (void)subject, (void)locks;
  }
};

// The counters of one (rule, subject), opaque. Empty bytes: nothing is counted any more. Holds no
// name, no address and no password fingerprint.
struct CounterRecord {
  uint64_t key = 0;
  std::string bytes;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_JOURNAL_H_
