#ifndef SASLATCH_PROTOCOL_DOVECOT_AUTH_MESSAGE_H_
#define SASLATCH_PROTOCOL_DOVECOT_AUTH_MESSAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/ip_address.h"
#include "protocol/base/secret.h"

namespace saslatch::dovecot {

// The messages of the Dovecot auth protocol, as both halves know them. Names are those of the wire.

// Bytes of a line with its LF, in both directions (Dovecot's AUTH_CLIENT_MAX_LINE_LENGTH).
inline constexpr size_t kMaxLine = 16384;

// Unfinished requests of one connection. An smtpd never cancels, so what its users gave up stays
// until it expires: at most 100 sessions (max_use) of 20 errors (smtpd_hard_error_limit) each. A
// Dovecot login process has one per client, 1000 by default.
inline constexpr size_t kMaxLiveRequests = 4096;

// Bytes of a name in a reply: what Dovecot's SASL layer takes. Escaped it still fits Exim's 8191.
inline constexpr size_t kMaxUser = 1024;

enum class Secured {
  kNo,
  kYes,  // `secured`: TLS, or a link the client trusts
  kTls,  // `secured=tls`
};

enum class FailCode {
  kNone,
  kTempFail,
  kAuthzFail,
  kUserDisabled,
  kPassExpired,
  kInvalidBase64,
};

// One MECH line. The flags are Dovecot's; Postfix filters by them (smtpd_sasl_security_options).
struct MechanismOffer {
  std::string name;
  bool is_private = false;
  bool anonymous = false;
  bool plaintext = false;
  bool dictionary = false;
  bool active = false;
  bool forward_secrecy = false;
  bool mutual_auth = false;
  bool channel_binding = false;

  friend bool operator==(const MechanismOffer&, const MechanismOffer&) = default;
};

// An AUTH line. All text is unescaped and the client's: up to kMaxLine bytes of anything.
struct AuthRequest {
  uint32_t id = 0;
  std::string mechanism;  // in upper case, offered or not
  std::string service;    // `service=`, or `protocol=` from Dovecot 2.4

  // The remote and the local address as sent, and what they mean; empty from chasquid, and where
  // Postfix does not know. real_* differ behind a proxy, else they are absent.
  std::string rip_text, lip_text;
  std::optional<IpAddress> rip, lip, real_rip, real_lip;
  uint16_t rport = 0, lport = 0, real_rport = 0, real_lport = 0;  // 0: absent or no port

  Secured secured = Secured::kNo;
  bool valid_client_cert = false;
  bool no_penalty = false;
  bool nologin = false;
  bool final_resp_ok = false;
  bool debug = false;
  std::string session, local_name, client_id, cert_username;

  // base64 already removed. nullopt: the client sent none, which differs from an empty one.
  std::optional<Secret> initial_response;
};

// The response to the challenge last sent for this id.
struct ContinueRequest {
  uint32_t id = 0;
  Secret response;
};

// The request is over and wants no answer: the client cancelled it, or broke the protocol on it and
// has been told so. The id is free.
struct CancelRequest {
  uint32_t id = 0;
};

// The peer broke the protocol and the connection must be closed. `reason` is ours, for the log: it
// never quotes the line.
struct ProtocolError {
  std::string reason;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_AUTH_MESSAGE_H_
