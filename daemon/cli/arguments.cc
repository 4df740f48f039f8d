#include "daemon/cli/arguments.h"

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <utility>

namespace saslatch::cli {
namespace {

namespace po = boost::program_options;

constexpr std::array<Option, 5> kGlobalOptions{{
    {"config", "FILE", "the daemon's configuration (default /etc/saslatch/saslatch.conf)"},
    {"json", "", "print JSON instead of tables and sentences"},
    {"quiet", "", "print no confirmations and no progress"},
    {"help", "", "explain a command, with examples, and exit"},
    {"version", "", "print the version and exit"},
}};

// The key under which Program_options collects the words that are no options.
constexpr const char* kPlainWord = "<argument>";

// The command words of a line: those that are no option and no value of a global option.
struct Words {
  std::vector<std::string> plain;  // the first two of them name the command
  std::vector<size_t> positions;   // where each stood
  bool help = false;
  bool version = false;
};

Words plain_words(const std::vector<std::string>& words) {
  Words found;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") break;
    if (word == "--help" || word == "-h") {
      found.help = true;
    } else if (word == "--version") {
      found.version = true;
    } else if (word == "--config") {
      ++i;
    } else if (word.empty() || word[0] != '-' || word == "-") {
      found.plain.push_back(word);
      found.positions.push_back(i);
    }
  }
  return found;
}

const Command* find_command(std::string_view words, std::span<const Command> commands) {
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [&](const Command& c) { return c.words == words; });
  return found == commands.end() ? nullptr : &*found;
}

// The first words of all commands, each once: "user", "lock", "status" ...
std::vector<std::string_view> first_words(std::span<const Command> commands) {
  std::vector<std::string_view> first;
  for (const Command& command : commands) {
    const std::string_view word = command.words.substr(0, command.words.find(' '));
    if (std::find(first.begin(), first.end(), word) == first.end()) first.push_back(word);
  }
  return first;
}

// The second words of the commands that begin with `family`.
std::vector<std::string_view> second_words(std::string_view family,
                                           std::span<const Command> commands) {
  std::vector<std::string_view> second;
  for (const Command& command : commands) {
    const size_t space = command.words.find(' ');
    if (space != std::string_view::npos && command.words.substr(0, space) == family) {
      second.push_back(command.words.substr(space + 1));
    }
  }
  return second;
}

std::string joined(std::span<const std::string_view> words) {
  std::string all;
  for (const std::string_view word : words) {
    if (!all.empty()) all += ", ";
    all += word;
  }
  return all;
}

UsageError unknown_word(std::string_view typed, std::string_view family,
                        std::span<const std::string_view> candidates) {
  std::string message = "unknown command '" + std::string(family) + (family.empty() ? "" : " ") +
                        std::string(typed) + "'";
  const std::string_view near = nearest(typed, candidates);
  if (!near.empty()) {
    message += "; did you mean '" + std::string(family) + (family.empty() ? "" : " ") +
               std::string(near) + "'?";
  } else {
    message += "; there is " + joined(candidates);
  }
  return {std::move(message), std::string(family)};
}

// Finds the command that the words name; how many words that took is in `used`.
std::variant<const Command*, UsageError, HelpWanted> resolve(const Words& words,
                                                             std::span<const Command> commands,
                                                             size_t& used) {
  const std::vector<std::string>& plain = words.plain;
  const auto families = first_words(commands);
  if (plain.empty()) {
    if (words.help) return HelpWanted{""};
    return UsageError{"which command? There is " + joined(families), ""};
  }
  used = 1;
  if (const Command* command = find_command(plain[0], commands)) return command;
  const auto seconds = second_words(plain[0], commands);
  if (seconds.empty()) return unknown_word(plain[0], "", families);
  if (plain.size() < 2) {
    if (words.help) return HelpWanted{plain[0]};
    return UsageError{"'" + plain[0] + "' needs one of " + joined(seconds), plain[0]};
  }
  used = 2;
  if (const Command* command = find_command(plain[0] + " " + plain[1], commands)) return command;
  return unknown_word(plain[1], plain[0], seconds);
}

// "--NAME" of a word of the command line; a value after '=' could be a password.
std::string option_name(std::string_view word) {
  word = word.substr(0, word.find('='));
  while (!word.empty() && word[0] == '-') word.remove_prefix(1);
  return std::string(word);
}

std::string unknown_option(const std::string& name, const Command& command) {
  if (name.rfind("password", 0) == 0 && name != "password-stdin") {
    return "'--" + name +
           "' is not an option: passwords are typed at a prompt or read with --password-stdin, "
           "never taken from the command line, where every process can see them";
  }
  std::vector<std::string_view> known;
  for (const Option& option : command.options) known.push_back(option.name);
  for (const Option& option : kGlobalOptions) known.push_back(option.name);
  std::string message = "'" + std::string(command.words) + "' has no option '--" + name + "'";
  const std::string_view near = nearest(name, known);
  if (!near.empty()) message += "; did you mean '--" + std::string(near) + "'?";
  return message;
}

void describe(std::span<const Option> options, po::options_description& description) {
  for (const Option& option : options) {
    if (option.argument.empty()) {
      description.add_options()(std::string(option.name).c_str(), "");
    } else {
      description.add_options()(std::string(option.name).c_str(),
                                po::value<std::vector<std::string>>(), "");
    }
  }
}

bool is_repeatable(std::string_view name, const Command& command) {
  return std::any_of(command.options.begin(), command.options.end(),
                     [&](const Option& o) { return o.name == name && o.repeatable; });
}

std::string wrong_count(const Command& command, size_t given) {
  const std::string name = "'" + std::string(command.words) + "'";
  if (command.max_arguments == 0) return name + " takes no argument";
  if (given < command.min_arguments) {
    return name + " needs " + std::string(command.arguments);
  }
  return name + " takes only " + std::string(command.arguments);
}

std::variant<Parsed, UsageError> parse_options(const std::vector<std::string>& words,
                                               const Command& command) {
  const auto wrong = [&](std::string message) {
    return UsageError{std::move(message), std::string(command.words)};
  };
  po::options_description description;
  describe(kGlobalOptions, description);
  describe(command.options, description);
  description.add_options()(kPlainWord, po::value<std::vector<std::string>>(), "");
  po::positional_options_description positional;
  positional.add(kPlainWord, -1);
  const bool options_end = std::find(words.begin(), words.end(), "--") != words.end();

  Parsed parsed{&command, {std::string(kDefaultConfigPath), false, {}, {}}, {}};
  try {
    using namespace po::command_line_style;
    const auto found = po::command_line_parser(words)
                           .options(description)
                           .positional(positional)
                           .style(allow_long | long_allow_next | long_allow_adjacent)
                           .run();
    for (const auto& option : found.options) {
      if (option.string_key == kPlainWord) {
        const std::string& word = option.value.front();
        if (word.size() > 1 && word[0] == '-' && !options_end) {
          return wrong("options are written with two dashes; after '--' a word may begin with one");
        }
        parsed.invocation.arguments.push_back(word);
        continue;
      }
      auto [slot, fresh] = parsed.invocation.options.try_emplace(option.string_key);
      if (!fresh && !is_repeatable(option.string_key, command)) {
        return wrong("'--" + option.string_key + "' is given twice");
      }
      for (const auto& value : option.value) slot->second.push_back(value);
    }
  } catch (const po::unknown_option& error) {
    return wrong(unknown_option(option_name(error.get_option_name()), command));
  } catch (const po::invalid_command_line_syntax& error) {
    // A missing value, or one given to a flag.
    const std::string name = option_name(error.get_option_name());
    const bool flag = error.kind() == po::invalid_syntax::extra_parameter;
    return wrong("'--" + name + (flag ? "' takes no value" : "' needs a value"));
  } catch (const po::error&) {
    return wrong("an option of '" + std::string(command.words) + "' is malformed");
  }

  Invocation& invocation = parsed.invocation;
  const size_t given = invocation.arguments.size();
  if (given < command.min_arguments || given > command.max_arguments) {
    return wrong(wrong_count(command, given));
  }
  if (const auto config = invocation.value("config")) {
    invocation.config_path = *config;
    invocation.config_given = true;
  }
  parsed.style.json = invocation.has("json");
  parsed.style.quiet = invocation.has("quiet");
  return parsed;
}

// Damerau-Levenshtein distance (optimal string alignment).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> Invocation::value(std::string_view option) const {
  const auto found = options.find(option);
  if (found == options.end() || found->second.empty()) return std::nullopt;
  return found->second.front();
}

std::vector<std::string> Invocation::values(std::string_view option) const {
  const auto found = options.find(option);
  return found == options.end() ? std::vector<std::string>{} : found->second;
}

std::span<const Option> global_options() { return kGlobalOptions; }

std::string_view nearest(std::string_view typed, std::span<const std::string_view> candidates) {
  constexpr size_t kLongestWord = 32;  // longer words are no mistyped command
  if (typed.size() > kLongestWord) return "";
  std::string_view best;
  size_t best_distance = SIZE_MAX;
  for (const std::string_view candidate : candidates) {
    const size_t d = distance(typed, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  const size_t letters = std::max(typed.size(), best.size());
  return best_distance <= std::max<size_t>(letters / 3, 1) ? best : "";
}

CommandLine parse_command_line(const std::vector<std::string>& words,
                               std::span<const Command> commands) {
  Words found = plain_words(words);
  if (!found.plain.empty() && found.plain[0] == "help") {
    found.plain.erase(found.plain.begin());
    found.help = true;
  }
  if (found.version && found.plain.empty()) return VersionWanted{};
  size_t used = 0;
  auto resolved = resolve(found, commands, used);
  if (auto* help = std::get_if<HelpWanted>(&resolved)) return std::move(*help);
  if (auto* error = std::get_if<UsageError>(&resolved)) return std::move(*error);
  const Command& command = *std::get<const Command*>(resolved);
  if (found.help) return HelpWanted{std::string(command.words)};
  if (found.version) return VersionWanted{};

  std::vector<std::string> rest;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto end = found.positions.begin() + static_cast<ptrdiff_t>(used);
    if (std::find(found.positions.begin(), end, i) == end) rest.push_back(words[i]);
  }
  auto parsed = parse_options(rest, command);
  if (auto* error = std::get_if<UsageError>(&parsed)) return std::move(*error);
  return std::get<Parsed>(std::move(parsed));
}

}  // namespace saslatch::cli
