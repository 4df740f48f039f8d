#include "daemon/cli/help.h"

#include <algorithm>

namespace saslatch::cli {
namespace {

constexpr size_t kWidth = 80;

std::string option_text(const Option& option) {
  std::string text = "--" + std::string(option.name);
  if (!option.argument.empty()) text += " " + std::string(option.argument);
  return text;
}

std::string option_table(std::span<const Option> options) {
  size_t width = 0;
  for (const Option& option : options) width = std::max(width, option_text(option).size());
  std::string table;
  for (const Option& option : options) {
    std::string left = option_text(option);
    left.resize(width, ' ');
    table += "  " + left + "  " + std::string(option.help) + "\n";
  }
  return table;
}

std::string command_lines(std::span<const Command> commands, std::string_view family) {
  const auto is_listed = [family](const Command& command) {
    return family.empty() || command.words.substr(0, command.words.find(' ')) == family;
  };
  size_t width = 0;
  for (const Command& command : commands) {
    if (is_listed(command))
      width = std::max(width, command.words.size() + 1 + command.arguments.size());
  }
  std::string lines;
  for (const Command& command : commands) {
    if (!is_listed(command)) continue;
    std::string left = std::string(command.words) + " " + std::string(command.arguments);
    left.resize(width, ' ');
    lines += "  " + left + "  " + std::string(command.summary) + "\n";
  }
  return lines;
}

std::string overview(std::span<const Command> commands) {
  return "usage: saslatch [--config FILE] [--json] [--quiet] COMMAND ...\n"
         "\n"
         "Looks after saslatchd: its accounts, its locks, its health. `user` and `policy` work\n"
         "without a running daemon; `lock`, `explain`, `status`, `watch` and `reload` ask it "
         "through\n"
         "its control socket; `test` logs in as a mail server would.\n"
         "\n"
         "Commands:\n" +
         command_lines(commands, "") +
         "\n"
         "Options of every command:\n" +
         option_table(global_options()) +
         "\n"
         "`saslatch COMMAND --help` explains a command and shows examples; saslatch(8) has it "
         "all.\n"
         "Does something not work? `saslatch doctor` finds out why.\n";
}

std::string family_help(std::string_view family, std::span<const Command> commands) {
  return "usage: saslatch " + std::string(family) + " COMMAND ...\n\nCommands:\n" +
         command_lines(commands, family) + "\n`saslatch " + std::string(family) +
         " COMMAND --help` explains one of them.\n";
}

std::string command_help(const Command& command) {
  std::string text = "usage: " + synopsis(command) + "\n\n" + std::string(command.help);
  if (!command.options.empty()) text += "\nOptions:\n" + option_table(command.options);
  text += "\nOptions of every command: --config FILE --json --quiet --help\n";
  return text;
}

}  // namespace

std::string synopsis(const Command& command) {
  std::string text = "saslatch " + std::string(command.words);
  size_t column = 7 + text.size();  // behind "usage: "
  const auto append = [&](const std::string& part) {
    if (column + 1 + part.size() > kWidth) {
      text += "\n           " + part;
      column = 11 + part.size();
    } else {
      text += " " + part;
      column += 1 + part.size();
    }
  };
  if (!command.arguments.empty()) append(std::string(command.arguments));
  for (const Option& option : command.options) {
    append("[" + option_text(option) + "]" + (option.repeatable ? "..." : ""));
  }
  return text;
}

std::string help_text(std::string_view topic, std::span<const Command> commands) {
  if (topic.empty()) return overview(commands);
  for (const Command& command : commands) {
    if (command.words == topic) return command_help(command);
  }
  return family_help(topic, commands);
}

}  // namespace saslatch::cli
