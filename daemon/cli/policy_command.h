#ifndef SASLATCH_DAEMON_CLI_POLICY_COMMAND_H_
#define SASLATCH_DAEMON_CLI_POLICY_COMMAND_H_

#include "daemon/cli/command.h"

namespace saslatch::cli {

// The shipped presets; need neither a daemon nor a configuration.
ExitCode policy_list(const Invocation& invocation, Console& console);
ExitCode policy_show(const Invocation& invocation, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_POLICY_COMMAND_H_
