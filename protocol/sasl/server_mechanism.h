#ifndef SASLATCH_PROTOCOL_SASL_SERVER_MECHANISM_H_
#define SASLATCH_PROTOCOL_SASL_SERVER_MECHANISM_H_

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/base/secret.h"

namespace saslatch::sasl {

// One server-side SASL exchange (RFC 4422): client messages in, Steps out.
//
// A mechanism does no I/O, never waits, reads no clock and keeps no global state. When it needs
// stored data it returns a question (VerifyPassword, VerifyCramMd5), and the owner answers through
// verdict() when it can. One object serves one exchange and is then destroyed. Not thread-safe: the
// owner calls it from one thread at a time.

enum class Verdict { kMatch, kMismatch, kUnavailable };

enum class Refusal {
  kMalformed,       // the message breaks the mechanism's syntax
  kOutOfTurn,       // a call that the state does not allow
  kBadCredentials,  // the owner said kMismatch
  kUnavailable,     // the owner said kUnavailable
};

// Send the bytes to the client, then wait for respond(). May be empty.
struct Challenge {
  std::string bytes;
};

// Ask for this password's check, then call verdict(). An empty authzid means "the same as authcid";
// a mechanism never passes on an authzid equal to the authcid.
struct VerifyPassword {
  std::string authcid;
  std::string authzid;
  Secret password;
};

// Ask whether `digest` (16 raw bytes) is HMAC-MD5(password, challenge), then call verdict().
struct VerifyCramMd5 {
  std::string authcid;
  std::string challenge;
  std::string digest;
};

struct Success {
  std::string authcid;
  std::string authzid;
};

// `why` is for our log and counters. The client is told no more than temporary or not. `authcid` is
// the name as far as one was read, else empty.
struct Failure {
  Refusal why;
  std::string authcid;
};

using Step = std::variant<Challenge, VerifyPassword, VerifyCramMd5, Success, Failure>;

class ServerMechanism {
 public:
  virtual ~ServerMechanism() = default;

  // Begins the exchange; called exactly once. nullopt means that the client sent no initial
  // response, which differs from an empty one (RFC 4422, section 4, point 3).
  [[nodiscard]] virtual Step start(std::optional<std::string_view> initial_response) = 0;

  // Takes the answer to the last Challenge, base64 already removed. `response` is borrowed for the
  // call, and wiping it is the caller's task.
  [[nodiscard]] virtual Step respond(std::string_view response) = 0;

  // Takes the answer to the last question; yields Success or Failure.
  [[nodiscard]] virtual Step verdict(Verdict verdict) = 0;

  // The name as far as one was read, else empty. Borrowed until the next call.
  [[nodiscard]] virtual std::string_view authcid() const = 0;

  // For the first three: a call out of turn is the peer's mistake, not ours. It yields
  // Failure{kOutOfTurn}, as does every call after the exchange is over.
};

}  // namespace saslatch::sasl

#endif  // SASLATCH_PROTOCOL_SASL_SERVER_MECHANISM_H_
