#include "daemon/cli/settings.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace saslatch::cli {

std::optional<std::string> read_config_text(const Invocation& invocation, Console& console,
                                            ExitCode& exit) {
  const std::string& path = invocation.config_path;
  if (!invocation.config_given && ::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return "";
  auto text = config::read_config_file(path);
  if (text) return std::move(*text);
  const bool forbidden = ::access(path.c_str(), R_OK) != 0 && errno == EACCES;
  exit = console.fail(forbidden ? ExitCode::kPermission : ExitCode::kConfig, text.error().message);
  return std::nullopt;
}

Settings make_settings(config::Config config) {
  Settings settings{std::move(config), {}};
  const config::UsernamesConfig& names = settings.config.usernames;
  settings.usernames.lowercase = names.lowercase;
  settings.usernames.default_domain = names.default_domain;
  settings.usernames.allow(names.allowed_chars);
  return settings;
}

bool Settings::offers(std::string_view mechanism) const {
  const auto& offer = config.mechanisms.offer;
  return std::find(offer.begin(), offer.end(), mechanism) != offer.end();
}

void print_errors(const config::Parsed& parsed, const Invocation& invocation, Console& console) {
  for (const config::Problem& problem : parsed.problems) {
    if (problem.kind == config::Problem::Kind::kError) {
      console.fail(ExitCode::kConfig, config::to_string(problem, invocation.config_path));
    }
  }
}

std::optional<Settings> load_settings(const Invocation& invocation, Console& console,
                                      ExitCode& exit) {
  const auto text = read_config_text(invocation, console, exit);
  if (!text) return std::nullopt;
  config::Parsed parsed = config::parse(*text);
  if (!parsed.has_errors()) return make_settings(std::move(parsed.config));
  print_errors(parsed, invocation, console);
  exit = ExitCode::kConfig;
  return std::nullopt;
}

}  // namespace saslatch::cli
