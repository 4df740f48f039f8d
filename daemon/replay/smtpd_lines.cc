// Postfix smtpd's lines (3.7 to 3.12 write the same, but for sasl_username in failures, which came
// with 3.7.8, 3.8.3 and 3.9). Sources: src/smtpd/smtpd_sasl_glue.c, smtpd.c, smtpd_peer.c.
//
//   connect from HOST[ADDR]
//   disconnect from HOST[ADDR] ehlo=1 auth=1/3 mail=1 rcpt=1 data=1 quit=1 commands=6/8
//   warning: HOST[ADDR]: SASL LOGIN authentication failed: REASON, sasl_username=NAME
//   warning: HOST[ADDR]: SASL LOGIN authentication aborted
//   QUEUEID: client=HOST[ADDR], sasl_method=PLAIN, sasl_username=NAME[, sasl_sender=...]
//
// With smtpd_client_port_logging ":PORT" stands behind "]". HOST is "unknown" or a checked host
// name, so it holds no bracket; NAME and sasl_sender are the client's words and come last.
#include <charconv>

#include "daemon/replay/fact.h"

namespace saslatch::replay {
namespace {

// Cuts "HOST[ADDR]" or "HOST[ADDR]:PORT" off the front of `text`. False: it is not there.
bool take_client(std::string_view& text, std::optional<IpAddress>& rip, bool& is_address) {
  const size_t open = text.find('[');
  if (open == std::string_view::npos || open == 0) return false;
  if (text.substr(0, open).find(' ') != std::string_view::npos) return false;
  const size_t close = text.find(']', open);
  if (close == std::string_view::npos) return false;
  std::string_view address = text.substr(open + 1, close - open - 1);
  if (address.starts_with("IPv6:")) address.remove_prefix(5);
  rip = IpAddress::parse(address);
  is_address = rip || address == "unknown";
  text.remove_prefix(close + 1);
  if (text.size() > 1 && text[0] == ':' && text[1] >= '0' && text[1] <= '9') {
    text.remove_prefix(1);
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') text.remove_prefix(1);
  }
  return true;
}

// The server's own trouble, in the words of xsasl_dovecot_server.c and of Cyrus SASL: what the
// client was told is 454, or nobody could look at the password.
bool is_trouble(std::string_view reason) {
  return reason.starts_with("Connection lost to authentication server") ||
         reason.starts_with("Can't connect to authentication server") ||
         reason.starts_with("Authentication backend error") ||
         reason.starts_with("Temporary authentication failure") ||
         reason.starts_with("generic failure") ||
         reason.starts_with("remote authentication server");
}

// Said by smtpd itself, or by the server of what it could not read: no password was looked at.
bool is_malformed(std::string_view reason) {
  return reason.starts_with("Invalid authentication mechanism") ||
         reason.starts_with("Invalid base64") || reason.starts_with("Invalid empty") ||
         reason.starts_with("bad protocol") || reason.starts_with("no mechanism available") ||
         reason.starts_with("malformed");
}

LineResult failure(std::string_view message, uint64_t process) {
  Fact fact;
  fact.origin = Origin::kSmtpd;
  fact.process = process;
  bool is_address = false;
  if (!take_client(message, fact.rip, is_address)) return Unusable::kNoAttempt;
  constexpr std::string_view kSasl = ": SASL ";
  if (!message.starts_with(kSasl)) return Unusable::kNoAttempt;
  message.remove_prefix(kSasl.size());
  const size_t blank = message.find(' ');
  if (blank == std::string_view::npos) return Unusable::kUnknownForm;
  message.remove_prefix(blank);
  if (message.starts_with(" authentication aborted")) return Unusable::kNotVerified;
  constexpr std::string_view kFailed = " authentication failed: ";
  if (!message.starts_with(kFailed)) return Unusable::kUnknownForm;
  message.remove_prefix(kFailed.size());
  if (!is_address) return Unusable::kBadAddress;
  if (is_trouble(message) || is_malformed(message)) return Unusable::kNotVerified;
  // No reason and no name: there was nobody to ask. (Dovecot's protocol has a name with each
  // failure, Cyrus SASL a reason.)
  if (message == "(reason unavailable), sasl_username=(unavailable)") return Unusable::kNotVerified;
  constexpr std::string_view kName = ", sasl_username=";
  const size_t name = message.find(kName);
  if (name != std::string_view::npos) {
    const std::string_view user = message.substr(name + kName.size());
    fact.names_user = user != "(unavailable)";
    if (fact.names_user) fact.user = user;
  }
  fact.result = Result::kBadCredential;
  return fact;
}

// `message` behind "client=".
LineResult success(std::string_view message, uint64_t process) {
  Fact fact;
  fact.origin = Origin::kSmtpd;
  fact.process = process;
  bool is_address = false;
  if (!take_client(message, fact.rip, is_address)) return Unusable::kUnknownForm;
  constexpr std::string_view kName = ", sasl_username=";
  const size_t name = message.find(kName);
  if (name == std::string_view::npos) return Unusable::kNoAttempt;  // mail without a login
  if (!is_address) return Unusable::kBadAddress;
  std::string_view user = message.substr(name + kName.size());
  for (const std::string_view next : {", sasl_sender=", ", orig_queue_id=", ", orig_client="})
    user = user.substr(0, user.find(next));
  fact.names_user = true;
  fact.user = user;
  return fact;
}

// The logins that succeeded, of "... auth=1 ..." or "... auth=1/3 ...".
uint32_t logins_in(std::string_view statistics) {
  constexpr std::string_view kAuth = " auth=";
  const size_t at = statistics.find(kAuth);
  if (at == std::string_view::npos) return 0;
  uint32_t many = 0;
  const char* begin = statistics.data() + at + kAuth.size();
  std::from_chars(begin, statistics.data() + statistics.size(), many);
  return many;
}

LineResult session(std::string_view message, Fact::Kind kind, uint64_t process) {
  Fact fact;
  fact.kind = kind;
  fact.origin = Origin::kSmtpd;
  fact.process = process;
  bool is_address = false;
  if (!take_client(message, fact.rip, is_address) || !is_address) return Unusable::kNoAttempt;
  fact.times = kind == Fact::Kind::kDisconnect ? logins_in(message) : 0;
  return fact;
}

bool is_queue_id(std::string_view text) {
  if (text.empty() || text.size() > 32) return false;
  for (const char c : text)
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) return false;
  return true;
}

}  // namespace

LineResult parse_smtpd(const Tagged& tagged) {
  const uint64_t process = hash_of(tagged.pid, hash_of(tagged.program, hash_of(tagged.host)));
  std::string_view message = tagged.message;
  constexpr std::string_view kWarning = "warning: ", kConnect = "connect from ",
                             kDisconnect = "disconnect from ", kClient = ": client=";
  if (message.starts_with(kWarning)) return failure(message.substr(kWarning.size()), process);
  if (message.starts_with(kConnect))
    return session(message.substr(kConnect.size()), Fact::Kind::kConnect, process);
  if (message.starts_with(kDisconnect))
    return session(message.substr(kDisconnect.size()), Fact::Kind::kDisconnect, process);
  const size_t colon = message.find(':');
  if (colon != std::string_view::npos && is_queue_id(message.substr(0, colon)) &&
      message.substr(colon).starts_with(kClient))
    return success(message.substr(colon + kClient.size()), process);
  return Unusable::kNoAttempt;
}

}  // namespace saslatch::replay
