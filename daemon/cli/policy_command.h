#ifndef SASLATCH_DAEMON_CLI_POLICY_COMMAND_H_
#define SASLATCH_DAEMON_CLI_POLICY_COMMAND_H_

#include <string>

#include "daemon/cli/command.h"
#include "daemon/policy/rule.h"

namespace saslatch::cli {

// The shipped presets; need neither a daemon nor a configuration.
ExitCode policy_list(const Invocation& invocation, Console& console);
ExitCode policy_show(const Invocation& invocation, Console& console);

// The rule as a section of saslatch.conf; keys that say nothing are left out.
std::string section_of(const policy::Rule& rule);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_POLICY_COMMAND_H_
