#ifndef SASLATCH_DAEMON_PASSDB_AUTHENTICATOR_H_
#define SASLATCH_DAEMON_PASSDB_AUTHENTICATOR_H_

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "protocol/base/ip_address.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// Some passdbs show no stored password: an LDAP server that is bound to, PAM, an authorization
// server. They are asked to judge what the client showed.
//
// What was shown is typed. The bearer token of OAUTHBEARER and XOAUTH2, which an authorization
// server judges by introspection (RFC 7662), is one more alternative of Proof: the compiler then
// names each driver that must say what it makes of one, and nothing else of this contract changes.

// The password, as PLAIN, LOGIN and saslauthd show it. Never empty.
struct PasswordProof {
  Secret password;
};

// Nothing was shown that the driver has to judge: only whether the account exists and may be used.
// For an authorization code, and for who only looks users up.
struct NoProof {};

using Proof = std::variant<PasswordProof, NoProof>;

// Owns all it holds: it may outlive the attempt.
struct ProofRequest {
  Proof proof;
  std::string service;           // of the mail server: "smtp", "imap"; empty where it said none
  std::optional<IpAddress> rip;  // canonical
  // Nobody waits for a verdict any longer. What has not begun by then need not begin.
  std::chrono::steady_clock::time_point deadline;
};

enum class ProofVerdict {
  kRight,     // NoProof: the account may be used
  kWrong,     // never of NoProof
  kDisabled,  // disabled, locked or expired, or its password is; whether it was right is not told
  kUnknownUser,  // it turns out that the passdb does not know the name: the next one decides
  kUnavailable,  // our trouble, or the server's; held against nobody
};

struct ProofResult {
  ProofVerdict verdict = ProofVerdict::kUnavailable;
  // Why, for the log; needed for kUnavailable. Never holds what was shown.
  std::string reason;
  // What judging took, waiting for a turn not included; 0 where it is not known. Of kWrong it tells
  // how long an unknown user must take.
  std::chrono::microseconds took{0};
};

// Judges what was shown for one account, the one whose look-up it came from. Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // Calls `done` exactly once, on this or any other thread, by `request.deadline` or as soon after
  // it as what was begun can be given up. Keeps nothing of the request after that. An empty
  // password is never asked about.
  virtual void authenticate(ProofRequest request, std::function<void(ProofResult)> done) = 0;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_AUTHENTICATOR_H_
