#ifndef SASLATCH_DAEMON_CONTROL_COMMANDS_H_
#define SASLATCH_DAEMON_CONTROL_COMMANDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/audit/audit.h"
#include "daemon/control/daemon_view.h"
#include "daemon/metrics/metrics.h"
#include "daemon/policy/engine.h"
#include "daemon/session/stale_watch.h"

namespace saslatch::control {

// Who is at the other end of the socket, as the kernel says (SO_PEERCRED).
struct Peer {
  std::string name;         // "root", "uid 1000": for the audit log
  bool may_change = false;  // false: may look only
};

// Root and the daemon's own user may change things. The socket's mode (0600) keeps the others out
// already; this holds where an administrator widens it to let a monitor look.
Peer make_peer(uint32_t uid, uint32_t daemon_uid);

// What the commands act on; each outlives the Commands.
struct Parts {
  DaemonView& daemon;
  policy::Engine& engine;
  Metrics& metrics;
  AuditSink& audit;
  const StaleWatch* stale = nullptr;  // null: nobody watches
};

// The commands of the control socket. A request is {"command": NAME, ...}; the fields of each
// command, and of its reply, are listed in saslatchd(8), CONTROL SOCKET. One object serves every
// control session, all of them on one thread.
//
//   ping                                     is it there
//   status                                   figures and health
//   reload                                   new configuration, or all its errors
//   lock list    [limit]                     live locks, the one that ends first at the top
//   lock add     subject for_seconds reason
//   lock clear   subject | all
//   explain      subject                     what is held on it, and what would happen now
//   note change  change target by            `saslatch` changed users.db: look at it, and write the
//                                            change into the audit log
class Commands {
 public:
  // More locks than this are counted, not listed, in one reply.
  static constexpr size_t kMostListed = 100'000;
  static constexpr size_t kMaxReason = 256;  // bytes: a sentence

  explicit Commands(const Parts& parts) : parts_(parts) {}

  // The reply to one line: a JSON object and a newline, whatever the line holds. Each command that
  // changes something, or was not allowed to, is told to the audit log. Never throws but for lack
  // of memory.
  std::string answer(std::string_view request, const Peer& peer, Now now);

 private:
  Parts parts_;
};

// The reply to a request that did not end within `limit` bytes.
std::string too_long_reply(size_t limit);

}  // namespace saslatch::control

#endif  // SASLATCH_DAEMON_CONTROL_COMMANDS_H_
