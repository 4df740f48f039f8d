#ifndef SASLATCH_DAEMON_CLI_ARGUMENTS_H_
#define SASLATCH_DAEMON_CLI_ARGUMENTS_H_

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "daemon/cli/command.h"
#include "daemon/config/saslatchd_options.h"

namespace saslatch::cli {

// Used when --config is not given.
inline constexpr std::string_view kDefaultConfigPath = config::kDefaultConfigFile;

// The command line asks for a command's help, or a family's ("user"), or everything's ("").
struct HelpWanted {
  std::string topic;
};

struct VersionWanted {};

// Not understood. `message` has no part of the command line that could be a password: it quotes
// command words, option names and nothing else. `topic` is what `--help` would be of use for.
struct UsageError {
  std::string message;
  std::string topic;
};

struct Parsed {
  const Command* command;  // points into the table
  Invocation invocation;
  Console::Style style;  // json and quiet only
};

using CommandLine = std::variant<Parsed, HelpWanted, VersionWanted, UsageError>;

// Reads the words after the program's name. Global options may stand anywhere, `--` ends the
// options, `help X` is `X --help`. Long options only, never abbreviated: an abbreviation that works
// today would be ambiguous in a later version's scripts.
CommandLine parse_command_line(const std::vector<std::string>& words,
                               std::span<const Command> commands);

// The nearest of `candidates` to what was typed, or "" if none is near: at most a third of the
// letters differ (added, left out, changed or swapped).
std::string_view nearest(std::string_view typed, std::span<const std::string_view> candidates);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_ARGUMENTS_H_
