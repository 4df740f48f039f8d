#ifndef SASLATCH_DAEMON_CLI_CODE_COMMANDS_H_
#define SASLATCH_DAEMON_CLI_CODE_COMMANDS_H_

#include "daemon/cli/command.h"

namespace saslatch::cli {

// `saslatch code`: authorization codes in STATE-DIR/users.db, whether or not a daemon runs, for
// accounts of every configured passdb.
ExitCode code_add(const Invocation& invocation, Console& console);
ExitCode code_list(const Invocation& invocation, Console& console);
ExitCode code_revoke(const Invocation& invocation, Console& console);
// `saslatch user main-password`.
ExitCode user_main_password(const Invocation& invocation, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_CODE_COMMANDS_H_
