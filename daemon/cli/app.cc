#include "daemon/cli/app.h"

#include <exception>

#include "daemon/cli/arguments.h"
#include "daemon/cli/command_table.h"
#include "daemon/cli/help.h"

namespace saslatch::cli {
namespace {

ExitCode run_command(const Parsed& parsed, Console& console, Console::Style style) {
  style.json = parsed.style.json;
  style.quiet = parsed.style.quiet;
  console.set_style(style);
  try {
    return parsed.command->run(parsed.invocation, console);
  } catch (const std::exception& error) {
    // No memory, no entropy: nothing that a command foresees.
    return console.fail(ExitCode::kInternal, error.what());
  }
}

}  // namespace

ExitCode run(const std::vector<std::string>& words, Console& console,
             const Console::Style& terminal) {
  const std::vector<Command> commands = command_table();
  const CommandLine line = parse_command_line(words, commands);
  ExitCode exit = ExitCode::kOk;
  if (const auto* help = std::get_if<HelpWanted>(&line)) {
    console.verbatim(help_text(help->topic, commands));
  } else if (std::holds_alternative<VersionWanted>(line)) {
    console.verbatim("saslatch " SASLATCH_VERSION "\n");
  } else if (const auto* error = std::get_if<UsageError>(&line)) {
    const std::string topic = error->topic.empty() ? "" : " " + error->topic;
    exit = console.fail(ExitCode::kUsage, error->message + "\nhelp: saslatch" + topic + " --help");
  } else {
    exit = run_command(std::get<Parsed>(line), console, terminal);
  }
  if (!console.flush() && exit == ExitCode::kOk) {
    exit = console.fail(ExitCode::kTemporary, "standard output could not be written");
  }
  return exit;
}

}  // namespace saslatch::cli
