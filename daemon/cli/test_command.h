#ifndef SASLATCH_DAEMON_CLI_TEST_COMMAND_H_
#define SASLATCH_DAEMON_CLI_TEST_COMMAND_H_

#include "daemon/cli/command.h"

namespace saslatch::cli {

// `saslatch test USER`: logs in over the socket with each mechanism, as a mail server would.
ExitCode test_login(const Invocation& invocation, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_TEST_COMMAND_H_
