#ifndef SASLATCH_DAEMON_CLI_COMMAND_TABLE_H_
#define SASLATCH_DAEMON_CLI_COMMAND_TABLE_H_

#include <vector>

#include "daemon/cli/command.h"

namespace saslatch::cli {

// Every command of `saslatch`, in the order of its help. The help, the manual's test and the shell
// completion's come from it.
std::vector<Command> command_table();

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_COMMAND_TABLE_H_
