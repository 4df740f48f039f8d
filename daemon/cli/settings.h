#ifndef SASLATCH_DAEMON_CLI_SETTINGS_H_
#define SASLATCH_DAEMON_CLI_SETTINGS_H_

#include <optional>
#include <string>
#include <string_view>

#include "daemon/cli/command.h"
#include "daemon/config/config.h"
#include "daemon/config/parse.h"
#include "daemon/session/username.h"

namespace saslatch::cli {

// The daemon's configuration as the commands use it.
struct Settings {
  config::Config config;
  UsernameRules usernames;

  [[nodiscard]] const std::string& state_dir() const { return config.daemon.state_dir; }
  [[nodiscard]] std::string control_socket() const { return config.daemon.run_dir + "/control"; }
  [[nodiscard]] bool offers(std::string_view mechanism) const;
};

// The text of the file of --config; nothing, with `exit` set and the reason printed, if it cannot
// be read.
std::optional<std::string> read_config_text(const Invocation& invocation, Console& console,
                                            ExitCode& exit);

Settings make_settings(config::Config config);

// Prints every error of `parsed`, with file and line.
void print_errors(const config::Parsed& parsed, const Invocation& invocation, Console& console);

// Reads the file of --config, or the default one, which need not exist: the daemon runs without it
// too. On an error all that is wrong with it is printed, `exit` is set, and there is nothing.
std::optional<Settings> load_settings(const Invocation& invocation, Console& console,
                                      ExitCode& exit);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_SETTINGS_H_
