#ifndef SASLATCH_DAEMON_PASSDB_PASSDB_H_
#define SASLATCH_DAEMON_PASSDB_PASSDB_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/ip_address.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// What a passdb knows of one account. A value; holds hashes and, from `embedded`, an opened
// CRAM-MD5 context, hence the Secrets.
struct Account {
  // The canonical name: the one asked for, or what user=, username= or domain= made of it.
  std::string name;
  // Stored passwords in Dovecot's form "{SCHEME}data", any of which lets the user in. Empty: no
  // password matches.
  std::vector<Secret> credentials;

  bool disabled = false;    // disabled, expired, `nologin` or `fail`: never let in
  bool nopassword = false;  // any password matches
  bool nodelay = false;     // failures are answered without failure-delay
  // Absent: from everywhere. Present: only from these networks (`local`: also without a rip or from
  // the host itself); elsewhere it looks like a wrong password.
  std::optional<std::vector<Network>> allow_nets;
  bool allow_local = false;

  // For USER of the master protocol; absent where the passdb has none.
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::string home;
};

struct UnknownUser {};

// Our own trouble, with the reason for the log. Never held against anybody.
struct Unavailable {
  std::string reason;
};

using Lookup = std::variant<Account, UnknownUser, Unavailable>;

// One place where accounts live. Thread-safe: find() and list() are called from many threads.
class Passdb {
 public:
  virtual ~Passdb() = default;

  // The NAME of [passdb.NAME].
  [[nodiscard]] virtual std::string_view name() const = 0;

  // True if find() may wait for a disk or a network. The caller then calls it on a worker only.
  [[nodiscard]] virtual bool blocks() const = 0;

  // Looks `username` (already normalised) up and calls `done` exactly once, perhaps before find()
  // returns, perhaps on another thread. UnknownUser and Unavailable are never confused: only the
  // first lets the next passdb decide and counts as a guess.
  virtual void find(std::string username, std::function<void(Lookup)> done) = 0;

  // Every name that matches `mask` (`*` and `?`, case-insensitive), in no order, until `each`
  // returns false. False if the list could not be read to its end.
  virtual bool list(std::string_view mask,
                    const std::function<bool(std::string_view name)>& each) = 0;

  // A stored password whose check costs what the accounts of this passdb usually cost, for the
  // dummy check of an unknown user; empty if there is none yet. Holds no secret of any account.
  [[nodiscard]] virtual std::string typical_credential() const = 0;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PASSDB_H_
