#ifndef SASLATCH_DAEMON_CLI_USER_NAMES_H_
#define SASLATCH_DAEMON_CLI_USER_NAMES_H_

#include <string>
#include <string_view>

#include "daemon/session/username.h"

namespace saslatch::cli {

// Why normalise_username() refused `name`, for an administrator: which character, by which key.
std::string why_refused(std::string_view name, const UsernameRules& rules);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_USER_NAMES_H_
