#ifndef SASLATCH_DAEMON_CLI_MTA_CLIENT_H_
#define SASLATCH_DAEMON_CLI_MTA_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"
#include "protocol/dovecot/auth_message.h"

namespace saslatch::cli {

// How long Postfix waits for each reply before it hangs up.
inline constexpr std::chrono::seconds kMtaPatience{10};

// What a mail server would make of an exchange.
enum class LoginVerdict {
  kOk,           // the user is in
  kRefused,      // 535: the mail program asks for the password again
  kTemporary,    // 454: tried again later
  kUnreachable,  // no auth server behind the socket
};
std::string_view to_string(LoginVerdict verdict);

// One login to try, as the mail server would send it. Borrowed for the call.
struct Login {
  std::string_view user;
  const Secret& password;
  std::string_view rip;
  bool secured = true;
};

struct LoginOutcome {
  std::string mechanism;
  LoginVerdict verdict = LoginVerdict::kUnreachable;
  std::string detail;   // for people; empty on kOk
  std::string account;  // `user=` of the answer
  std::chrono::microseconds took{0};
};

// What the server at `socket` announces when somebody connects, or why there is no such server.
Result<std::vector<dovecot::MechanismOffer>> read_offer(const std::string& socket);

// A whole exchange on a connection of its own: handshake, AUTH, challenges, answer. Never waits
// longer than kMtaPatience for a reply.
LoginOutcome try_login(const std::string& socket, const std::string& mechanism, const Login& login);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_MTA_CLIENT_H_
