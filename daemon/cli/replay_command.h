#ifndef SASLATCH_DAEMON_CLI_REPLAY_COMMAND_H_
#define SASLATCH_DAEMON_CLI_REPLAY_COMMAND_H_

#include "daemon/cli/command.h"
#include "daemon/replay/replay.h"

namespace saslatch::cli {

// What a policy would have done, on the logs of a mail server. Needs neither a daemon nor a
// configuration.
ExitCode policy_replay(const Invocation& invocation, Console& console);

// Limits that would have refused no owner in the logs, as a section of saslatch.conf.
ExitCode policy_suggest(const Invocation& invocation, Console& console);

// The findings as sentences and tables, and as the document of --json.
void print_findings(const replay::Findings& findings, Console& console);
Json findings_json(const replay::Findings& findings);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_REPLAY_COMMAND_H_
