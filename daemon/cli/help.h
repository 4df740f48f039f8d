#ifndef SASLATCH_DAEMON_CLI_HELP_H_
#define SASLATCH_DAEMON_CLI_HELP_H_

#include <span>
#include <string>
#include <string_view>

#include "daemon/cli/command.h"

namespace saslatch::cli {

// The text of `--help`: of one command ("user add"), of a family ("user"), or of everything ("").
// `topic` is one that parse_command_line() gave.
std::string help_text(std::string_view topic, std::span<const Command> commands);

// "saslatch user add NAME [--scheme S] [--no-cram-md5] ...": the synopsis of one command.
std::string synopsis(const Command& command);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_HELP_H_
