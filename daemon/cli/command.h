#ifndef SASLATCH_DAEMON_CLI_COMMAND_H_
#define SASLATCH_DAEMON_CLI_COMMAND_H_

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli/console.h"
#include "daemon/cli/exit_code.h"

namespace saslatch::cli {

// `--NAME ARGUMENT`, or the flag `--NAME` where `argument` is empty. Only a repeatable one may be
// given more than once.
struct Option {
  std::string_view name;
  std::string_view argument;
  std::string_view help;
  bool repeatable = false;
};

// A command line that was understood: what its command needs of it.
struct Invocation {
  std::string config_path;    // --config, or the default
  bool config_given = false;  // an explicit file must exist; the default one need not
  std::vector<std::string> arguments;
  std::map<std::string, std::vector<std::string>, std::less<>> options;

  [[nodiscard]] bool has(std::string_view option) const {
    return options.find(option) != options.end();
  }
  // The value of an option that is given at most once.
  [[nodiscard]] std::optional<std::string> value(std::string_view option) const;
  [[nodiscard]] std::vector<std::string> values(std::string_view option) const;
};

// One row of the table of commands: all that the parser, the help, the completion and the manual's
// test know of it. A value with static strings.
struct Command {
  std::string_view words;      // "user add", "status"
  std::string_view arguments;  // as the synopsis shows them: "NAME"
  size_t min_arguments = 0;
  size_t max_arguments = 0;
  std::vector<Option> options;
  std::string_view summary;  // one line, without a full stop
  std::string_view help;     // paragraphs, then examples
  ExitCode (*run)(const Invocation&, Console&) = nullptr;
};

// The options that every command takes.
std::span<const Option> global_options();

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_COMMAND_H_
