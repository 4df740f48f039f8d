#ifndef SASLATCH_DAEMON_PASSDB_PASSDB_H_
#define SASLATCH_DAEMON_PASSDB_PASSDB_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/passdb/authenticator.h"
#include "protocol/base/ip_address.h"
#include "protocol/base/result.h"
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
  // Why some further credential cannot be read now (a key file is missing): our own trouble. Empty:
  // there is no such credential.
  std::string withheld;
  // Why some further credential can never be used: it lets nobody in and is logged. Empty: the
  // same.
  std::string damaged;

  // Judges passwords in place of `credentials`, which then serve CRAM-MD5 only. Null: what is
  // stored decides.
  std::shared_ptr<Authenticator> authenticator;
  // Of an account with an authenticator:
  // The passdb presumes it; whether it exists, the authenticator tells. Where it does not, or
  // cannot say, the next passdb decides.
  bool is_presumed = false;
  // Differs when the password may have changed, as far as the passdb can tell without it.
  std::string stamp;
  // How long a password that was right lets in without being judged again; 0: not at all. The
  // server is not asked meanwhile, so that there a change or a lock acts this much later.
  std::chrono::milliseconds right_lasts{0};

  bool disabled = false;  // disabled, expired, `nologin` or `fail`: never let in
  // Any password matches. CRAM-MD5 does not: it proves that the client knows what is stored, and
  // here nothing is.
  bool nopassword = false;
  bool nodelay = false;  // failures are answered without failure-delay
  // Absent: from everywhere. Present: only from these networks (`local`: also where no rip is
  // known); elsewhere it looks like a wrong password.
  std::optional<std::vector<Network>> allow_nets;
  bool allow_local = false;

  // For USER of the master protocol; absent where the passdb has none.
  bool in_userdb = true;  // false: USER answers NOTFOUND (a passwd-file's uid 0)
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

// How a passdb is, for `status` and `doctor`.
struct PassdbStatus {
  std::string name;
  std::string driver;
  bool available = false;
  std::string reason;                // why not, or what is wrong although it answers
  std::optional<uint64_t> accounts;  // absent where counting is not cheap
};

// What the check of a wrong password usually costs here.
struct TypicalCredential {
  // A stored password, "{SCHEME}data", whose check costs what those of the accounts usually cost.
  // Of no account: it holds no secret. Empty if there is none yet.
  std::string stored;
  // How many accounts it stands for, about; the most common one of a chain is used.
  uint64_t accounts = 0;
  // Passwords are judged by authenticators only: no hash is computed here, for anybody.
  bool is_judged_elsewhere = false;
};

// One place where accounts live. Thread-safe: find() and list() are called from many threads.
class Passdb {
 public:
  virtual ~Passdb() = default;

  // The NAME of [passdb.NAME].
  [[nodiscard]] virtual std::string_view name() const = 0;

  // True if find() may wait for a disk or a network. The caller then calls it on a worker only, and
  // asks recall() before it takes one.
  [[nodiscard]] virtual bool blocks() const = 0;

  // Where blocks(): what find() would answer, if that is in memory and nothing need be waited for,
  // not for a disk and not for anybody who waits for one, so that an event loop may ask. What an
  // administrator's command has changed before it ended is in it. nullopt: ask find(). `now` is the
  // present.
  [[nodiscard]] virtual std::optional<Lookup> recall(std::string_view username,
                                                     std::chrono::steady_clock::time_point now) {
    (void)username, (void)now;
    return std::nullopt;
  }

  // Looks `username` (already normalised) up and calls `done` exactly once, perhaps before find()
  // returns (always so where blocks() is false), perhaps on another thread. UnknownUser and
  // Unavailable are never confused: only the first lets the next passdb decide and counts as a
  // guess.
  virtual void find(std::string username, std::function<void(Lookup)> done) = 0;

  // Every name that matches `mask` (`*` and `?`, case-insensitive), in no order, until `each`
  // returns false. False if the list could not be read to its end.
  virtual bool list(std::string_view mask,
                    const std::function<bool(std::string_view name)>& each) = 0;

  // For the dummy check of an unknown user.
  [[nodiscard]] virtual TypicalCredential typical_credential() const = 0;

  // From memory, or as cheap as that.
  [[nodiscard]] virtual PassdbStatus status() const = 0;

  // For --check and doctor, never on a login's path: whether it can be used as it is configured,
  // tried now. Changes nothing; may wait for a network, a few seconds at most. The error is for an
  // administrator.
  [[nodiscard]] virtual Result<void> check_usable() {
    const PassdbStatus now = status();
    if (!now.available) return failure(now.reason);
    return {};
  }

  // Ends what runs on threads of its own: what waits is answered (Unavailable), and once stop()
  // has returned no `done` is called any more. find() is Unavailable from then on. Nothing to do
  // for one that always answers before find() returns.
  virtual void stop() {}
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PASSDB_H_
