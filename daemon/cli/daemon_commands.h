#ifndef SASLATCH_DAEMON_CLI_DAEMON_COMMANDS_H_
#define SASLATCH_DAEMON_CLI_DAEMON_COMMANDS_H_

#include <optional>
#include <string>

#include "daemon/cli/command.h"
#include "daemon/cli/control_client.h"

namespace saslatch::cli {

// The commands that ask the running daemon through its control socket.
ExitCode lock_list(const Invocation& invocation, Console& console);   // lock_commands.cc
ExitCode lock_add(const Invocation& invocation, Console& console);    // lock_commands.cc
ExitCode lock_clear(const Invocation& invocation, Console& console);  // lock_commands.cc
ExitCode explain(const Invocation& invocation, Console& console);     // explain_command.cc
ExitCode status(const Invocation& invocation, Console& console);      // status_command.cc
ExitCode watch(const Invocation& invocation, Console& console);       // watch_command.cc
ExitCode reload(const Invocation& invocation, Console& console);      // reload_command.cc

// A connection to the daemon of this configuration. Says what is wrong, sets `exit` and returns
// nothing if there is none.
std::optional<ControlClient> connect_to_daemon(const Invocation& invocation, Console& console,
                                               ExitCode& exit);

// One request on a connection of its own; as above.
std::optional<Json> ask_daemon(const Invocation& invocation, Console& console, ExitCode& exit,
                               const std::string& command, const Json& more = Json::object());

// A reply as --json prints it: without "ok".
Json without_ok(Json reply);

// What `status` and each frame of `watch` show, with a newline at the end of each line.
std::string render_status(const Json& status, bool colours);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_DAEMON_COMMANDS_H_
