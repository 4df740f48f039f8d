#ifndef SASLATCH_DAEMON_CLI_APP_H_
#define SASLATCH_DAEMON_CLI_APP_H_

#include <string>
#include <vector>

#include "daemon/cli/command.h"

namespace saslatch::cli {

// Runs one command line (the words after the program's name) and gives what to exit with. Words on
// stdout that could not be written turn success into kTemporary: a script must not take half a
// list for a whole one.
ExitCode run(const std::vector<std::string>& words, Console& console,
             const Console::Style& terminal);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_APP_H_
