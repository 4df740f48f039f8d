#include "daemon/cli/daemon_commands.h"
#include "daemon/cli/format.h"
#include "daemon/cli/settings.h"
#include "daemon/cli/ticker.h"

namespace saslatch::cli {
std::optional<ControlClient> connect_to_daemon(const Invocation& invocation, Console& console,
                                               ExitCode& exit) {
  const auto text = read_config_text(invocation, console, exit);
  if (!text) return std::nullopt;
  // A running daemon is asked even if its file has been broken since: only run-dir is needed.
  const config::Parsed parsed = config::parse(*text);
  auto client = ControlClient::connect(parsed.config.daemon.run_dir + "/control");
  if (client) return std::move(*client);
  exit = console.fail(client.error().exit, client.error().message);
  if (parsed.has_errors() && exit == ExitCode::kUnreachable) {
    print_errors(parsed, invocation, console);  // run-dir may be among them
    exit = ExitCode::kConfig;
  }
  return std::nullopt;
}

std::optional<Json> ask_daemon(const Invocation& invocation, Console& console, ExitCode& exit,
                               const std::string& command, const Json& more) {
  auto client = connect_to_daemon(invocation, console, exit);
  if (!client) return std::nullopt;
  auto reply = client->ask(command, more);
  if (reply) return std::move(*reply);
  exit = console.fail(reply.error().exit, reply.error().message);
  return std::nullopt;
}

Json without_ok(Json reply) {
  reply.erase("ok");
  return reply;
}

// The daemon reads the file that it was started with; --config only leads to its socket.
ExitCode reload(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  auto client = connect_to_daemon(invocation, console, exit);
  if (!client) return exit;
  const auto reply = [&] {
    const Ticker ticker(console, "reloading");
    return client->ask("reload");
  }();
  const Json& report = reply ? *reply : reply.error().reply;
  if (console.style().json && report.is_object()) console.print(without_ok(report));
  for (const Json& warning : part(report, "warnings")) {
    if (warning.is_string()) console.warning(warning.get<std::string>());
  }
  if (!reply) {
    for (const Json& error : part(report, "errors")) {
      if (error.is_string()) console.fail(reply.error().exit, error.get<std::string>());
    }
    return console.fail(reply.error().exit, reply.error().message);
  }
  console.note("the new configuration is in force");
  for (const Json& key : part(report, "needs_restart")) {
    if (key.is_string()) {
      console.warning("a change of " + key.get<std::string>() + " needs a restart of saslatchd");
    }
  }
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
