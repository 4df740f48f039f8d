#include "daemon/config/saslatchd_options.h"

#include <sysexits.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <iterator>

namespace saslatch::config {
namespace {

namespace po = boost::program_options;

constexpr const char* kAccepted =
    "accepted: --config FILE, and one of --check --dump-config --version --help";

po::options_description description() {
  po::options_description options("Options");
  options.add_options()  //
      ("config", po::value<std::string>()->value_name("FILE")->default_value(kDefaultConfigFile),
       "read this configuration")  //
      ("check", "validate the configuration, report every mistake, and exit")(
          "dump-config", "print every key with its value and its default, and exit")(
          "version", "print the version and exit")("help", "print this and exit");
  return options;
}

size_t count(const std::vector<Problem>& problems, Problem::Kind kind) {
  return static_cast<size_t>(
      std::count_if(problems.begin(), problems.end(),
                    [kind](const Problem& problem) { return problem.kind == kind; }));
}

void print(const std::vector<Problem>& problems, const std::string& file, std::ostream& err) {
  for (const Problem& problem : problems) err << to_string(problem, file) << '\n';
}

}  // namespace

Result<SaslatchdOptions> parse_saslatchd_options(std::span<const char* const> arguments) {
  const po::options_description options = description();
  po::variables_map values;
  try {
    // No positional argument is accepted; Program_options would drop them silently.
    const po::positional_options_description none;
    const std::vector<std::string> words(arguments.begin(), arguments.end());
    const int style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(words).options(options).positional(none).style(style).run(),
              values);
  } catch (const po::error& error) {
    return failure(std::string(error.what()) + "; " + kAccepted);
  }
  using Command = SaslatchdOptions::Command;
  constexpr std::array<std::pair<const char*, Command>, 4> kCommands = {
      {{"help", Command::kHelp},
       {"version", Command::kVersion},
       {"check", Command::kCheck},
       {"dump-config", Command::kDumpConfig}}};
  SaslatchdOptions result;
  size_t commands = 0;
  for (const auto& [name, command] : kCommands) {
    if (values.count(name) == 0) continue;
    result.command = command;
    ++commands;
  }
  if (commands > 1) return failure(std::string("only one of them at a time; ") + kAccepted);
  result.config_file = values["config"].as<std::string>();
  return result;
}

std::string saslatchd_help() {
  return std::string(
             "usage: saslatchd [--config FILE] [--check | --dump-config | --version | --help]\n"
             "\n"
             "Answers SMTP AUTH for mail servers that speak the Dovecot auth protocol. Runs in "
             "the\n"
             "foreground until SIGTERM; SIGHUP reads the configuration again.\n"
             "\n"
             "  --config FILE   the configuration; default ") +
         kDefaultConfigFile +
         "\n"
         "  --check         report every mistake in it, and what this machine lacks for it\n"
         "  --dump-config   print every key with its value and its default; itself a valid file\n"
         "  --version       print the version\n"
         "  --help          print this\n"
         "\n"
         "An empty file will do: accounts in /var/lib/saslatch/users.db, which \"saslatch user "
         "add\"\n"
         "fills, and the socket /run/saslatch/auth. For Postfix:\n"
         "\n"
         "  postconf -e smtpd_sasl_type=dovecot smtpd_sasl_auth_enable=yes\n"
         "  postconf -e smtpd_sasl_path=/run/saslatch/auth\n"
         "\n"
         "Exit codes: 0 done, 64 usage, 75 another daemon has the state directory, 78 "
         "configuration.\n"
         "See saslatchd(8), saslatch.conf(5), saslatch(1).\n";
}

std::string saslatchd_version() { return "saslatchd " SASLATCH_VERSION "\n"; }

LoadedConfig load_config(const std::string& file, Environment* environment) {
  LoadedConfig loaded;
  const auto text = read_config_file(file);
  if (!text) {
    loaded.problems.push_back({Problem::Kind::kError, 0, text.error().message});
    return loaded;
  }
  Parsed parsed = parse(*text);
  loaded.usable = !parsed.has_errors();
  loaded.problems = parsed.problems;
  if (environment != nullptr) {
    // Also beside errors of the text: an administrator mends all of them in one go.
    const auto found = check(parsed, *environment);
    loaded.usable = loaded.usable && count(found, Problem::Kind::kError) == 0;
    loaded.problems.insert(loaded.problems.end(), found.begin(), found.end());
    std::stable_sort(loaded.problems.begin(), loaded.problems.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
  }
  loaded.config = std::move(parsed.config);
  return loaded;
}

int run_check(const std::string& file, Environment& environment, std::ostream& out,
              std::ostream& err) {
  const LoadedConfig loaded = load_config(file, &environment);
  print(loaded.problems, file, err);
  if (loaded.usable) {
    out << file << ": can be used\n";
    return EX_OK;
  }
  err << file << ": " << count(loaded.problems, Problem::Kind::kError) << " errors, "
      << count(loaded.problems, Problem::Kind::kWarning) << " warnings\n";
  return EX_CONFIG;
}

int run_dump_config(const std::string& file, std::ostream& out, std::ostream& err) {
  const LoadedConfig loaded = load_config(file, nullptr);
  if (!loaded.usable) {
    print(loaded.problems, file, err);
    return EX_CONFIG;
  }
  out << dump(loaded.config);
  return EX_OK;
}

}  // namespace saslatch::config
