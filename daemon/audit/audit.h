#ifndef SASLATCH_DAEMON_AUDIT_AUDIT_H_
#define SASLATCH_DAEMON_AUDIT_AUDIT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace saslatch {

// What the audit log tells: one event for each decided attempt, lock, unlock, command of an
// administrator, and turn in the daemon's own life. The JSON is a contract with the programs that
// read it (docs/OPERATIONS.md, "The audit log"). No field is ever given a password, a stored hash,
// a fingerprint or a response.

using WallTime = std::chrono::system_clock::time_point;

enum class AuthOutcome {
  kOk,
  kFail,       // the credential was checked, or could not be one: FAIL
  kRefused,    // by policy, before any check
  kTemporary,  // our own trouble, held against nobody
};

enum class AuthCause {
  kBadCredential,
  kUnknownUser,
  kDisabled,   // disabled, expired, `nologin` or `fail`
  kMalformed,  // a name or a message that can be nobody's
  kMechanism,  // unknown or not offered here
  kNeedsTls,   // a plaintext mechanism where the client did not say `secured`
  kLocked,     // a lock of a rule or of an administrator
  kRate,       // a `then = refuse` rule
  kPassdbDown,
  kOverload,
};

// What the client said of its own client's link: nothing, `secured`, or `secured=tls`.
enum class Secured { kNo, kYes, kTls };

// What a policy that only observes would have done.
enum class Would { kLocked, kRate, kDelay };

// The words of the JSON, of the log and of the metrics' labels.
std::string_view to_string(AuthOutcome outcome);
std::string_view to_string(AuthCause cause);
std::string_view to_string(Would would);

struct AuthEvent {
  WallTime ts;
  AuthOutcome outcome = AuthOutcome::kFail;
  std::optional<AuthCause> cause;  // absent on kOk
  std::string user;                // normalised by [usernames]; empty if no name was read
  std::string rip;                 // canonical, or as sent where it is no address; may be empty
  std::string mech;                // upper case
  std::string service;
  Secured secured = Secured::kNo;
  std::string listener;    // the NAME of [listen.NAME]
  std::string session;     // the client's own session=; empty: none
  std::string credential;  // "password" or code_credential(), of an attempt that matched or whose
                           // credential is known for what it is; else empty
  std::string rule;        // the rule that refused, delayed or would have
  std::string subject;     // ... and its subject, as `saslatch lock` writes it: "user:alice"
  std::string why;         // why a known credential did not let in: "revoked", "service", ...
  std::optional<Would> would;
  bool repeat = false;  // this wrong password was seen before
  std::chrono::microseconds took{0};
};

// How AuthEvent::credential names an authorization code: "code:ID LABEL".
std::string code_credential(std::string_view id, std::string_view label);

struct LockEvent {
  WallTime ts;
  std::string subject;
  std::string rule;  // empty: an administrator's
  WallTime until;
  int level = 1;       // 1 for the first lock, one more for each growth
  std::string by;      // "policy", or who ordered it
  std::string reason;  // an administrator's; empty: none
};

// A lock that was cleared. One that simply ended has no event: its LockEvent said when.
struct UnlockEvent {
  WallTime ts;
  std::string subject;
  std::string rule;  // empty: all rules of the subject
  std::string by;
};

// A command that changed something, with what it was done to.
struct AdminEvent {
  WallTime ts;
  std::string command;  // "lock add", "user passwd", "reload"
  std::string target;   // the subject or user; empty: none
  std::string by;       // "root", "uid 1000"
  bool done = true;     // false: it failed, and `reason` says why
  std::string reason;
};

// Some device still tries what its owner gave up: a revoked or expired code, or a main password
// that was replaced. Once for each (account, credential, source) and hour.
struct StaleCredentialEvent {
  WallTime ts;
  std::string user;  // the account
  std::string rip;
  std::string mech;
  std::string service;
  std::string listener;
  std::string credential;         // as in AuthEvent
  std::string why;                // "revoked", "expired", "old-password"
  std::optional<WallTime> since;  // it has been so
};

// The daemon's own life: "started", "stopping", "reloaded", "audit-dropped", ... The name is that
// of the log line of the same moment.
struct DaemonEvent {
  WallTime ts;
  std::string name;
  // Further fields, written after `name` in this order. A key is [a-z_]+ and none of the others'.
  std::vector<std::pair<std::string, std::string>> details;
};

using Event =
    std::variant<AuthEvent, LockEvent, UnlockEvent, AdminEvent, StaleCredentialEvent, DaemonEvent>;

// Appends the event to `out` as one JSON object and a newline. Fields come in the order of the
// structs above, after `ts` and `event`. Always written: for `auth` outcome, user, rip, mech,
// service, secured, listener, repeat and took_us; for the others all but `reason`, `target` and an
// empty `rule`. The rest only where it has a value. Bytes that are no UTF-8 become U+FFFD; controls
// are escaped, those above ASCII and bidirectional overrides too; a string beyond kMaxAuditString
// bytes is cut and ends in U+2026. Pure.
void append_json_line(const Event& event, std::string& out);
std::string to_json_line(const Event& event);

// A longer name or address than this can be nobody's; the log does not grow by what a client makes
// up. RFC 4616 has 255 octets for a name, Dovecot takes 1024.
inline constexpr size_t kMaxAuditString = 1024;

// Takes events. Thread-safe; never blocks on a disk, never throws.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void write(const Event& event) = 0;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_AUDIT_H_
