#ifndef SASLATCH_DAEMON_REPLAY_FACT_H_
#define SASLATCH_DAEMON_REPLAY_FACT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/policy/rule.h"
#include "protocol/base/ip_address.h"

namespace saslatch::replay {

using policy::Time;

// Which program's line told it: what it can tell differs.
enum class Origin {
  kAudit,  // saslatchd's audit log
  kSmtpd,  // Postfix smtpd
  kLogin,  // Dovecot's imap-login, pop3-login, submission-login ...: once a connection
  kAuth,   // Dovecot's auth and auth-worker: once an attempt and passdb
};
constexpr size_t kOrigins = 4;
std::string_view to_string(Origin origin);  // for people

enum class Result {
  kOk,
  kBadCredential,
  kUnknownUser,
  kRefused,  // by a policy at the time: nobody looked at the password
};

// What one log line says of a login. A line of Dovecot's login processes may stand for several
// attempts of one connection, and an attempt may have several lines: Assembler puts that right.
struct Fact {
  enum class Kind {
    kAttempt,
    kConnect,     // smtpd: a session of this process begins ...
    kDisconnect,  // ... and ends
  };
  Kind kind = Kind::kAttempt;
  Origin origin = Origin::kAudit;
  Time at;
  Result result = Result::kOk;
  bool names_user = false;       // `user` was there; an empty name is a name too
  std::string user;              // as logged
  std::optional<IpAddress> rip;  // absent: none, or "unknown"
  uint32_t times = 1;            // kLogin: attempts of the connection; kDisconnect: logins
  std::string session;           // Dovecot's session id
  uint64_t process = 0;          // smtpd: host and process id, hashed
  // A wrong password's stand-in, the same for the same text: Dovecot's auth_verbose_passwords.
  std::optional<uint64_t> password;
  // kAudit: the password was seen (PLAIN, LOGIN), and whether it repeats an earlier wrong one.
  bool shows_password = false;
  bool repeats = false;
};

// Why a line gives no fact. Ordered as they are listed to people.
enum class Unusable {
  kNoAttempt,     // of a program we read, but about something else
  kOtherProgram,  // of a program that decides no login
  kNotVerified,   // an attempt that no password was checked for: given up, temporary, malformed ...
  kOtherEvent,    // audit: not an `auth` event
  kNoName,        // a name that [usernames] of the policy does not allow
  kNoStamp,       // begins with no time stamp that we know
  kBadAddress,    // a client address that is none
  kUnknownForm,   // of a program we read, looks like an attempt, but not in a form that we know
  kBadJson,       // audit: no JSON object, or without the fields of an `auth` event
  kBinary,        // control bytes
  kTooLong,       // beyond kMaxLine
  kCutOff,        // the last line, without its end
};
constexpr size_t kUnusables = 12;
std::string_view to_string(Unusable unusable);    // a key: "no-attempt"
std::string_view explanation(Unusable unusable);  // for people
// Whether it is of no concern: most lines of a mail log are about something else.
bool is_ordinary(Unusable unusable);

using LineResult = std::variant<Fact, Unusable>;

// Longer than any line of these programs: Postfix cuts at 2000, Dovecot at some 10,000 bytes, an
// audit event has at most eight strings of 1024 (escaped: six times that).
constexpr size_t kMaxLine = size_t{64} * 1024;

enum class Format { kAuto, kAudit, kPostfix, kDovecot };
std::string_view to_string(Format format);
std::optional<Format> parse_format(std::string_view text);

// The parts of a syslog line behind its stamp.
struct Tagged {
  std::string_view host;     // empty: none (Dovecot's own log file)
  std::string_view program;  // "postfix/submission/smtpd", "dovecot"; empty: Dovecot's own log file
  std::string_view pid;
  std::string_view message;
};
// nullopt: there is no "program[pid]: " in it.
std::optional<Tagged> split_tag(std::string_view rest);

// The parsers. `at` is not set by the two of messages. Pure, bounded by the line; no copy is kept.
LineResult parse_smtpd(const Tagged& tagged);
LineResult parse_dovecot(std::string_view message);
LineResult parse_audit(std::string_view line);
LineResult parse_audit_slowly(std::string_view line);  // the same, without the short way

// FNV-1a: to tell things apart, nothing secret.
uint64_t hash_of(std::string_view text, uint64_t seed = 0xcbf29ce484222325);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_FACT_H_
