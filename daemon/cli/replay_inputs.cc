#include "daemon/cli/replay_inputs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "daemon/cli/settings.h"
#include "daemon/policy/presets.h"
#include "daemon/replay/words.h"

namespace saslatch::cli {
namespace {

using replay::Time;

ReadPolicy made_of(std::string name, config::Config config, bool is_preset) {
  ReadPolicy read;
  read.is_preset = is_preset;
  read.candidate.name = std::move(name);
  Settings settings = make_settings(std::move(config));
  read.candidate.settings = settings.config.policy;
  read.candidate.normalise = [rules = settings.usernames](std::string_view user) {
    return normalise_username(user, rules);
  };
  read.config = std::move(settings.config);
  return read;
}

Time now() { return std::chrono::floor<Time::duration>(std::chrono::system_clock::now()); }

replay::FactStream::File log_file(const std::string& path) {
  replay::FactStream::File file{path, now(), 0};
  struct stat status {};
  if (path == "-" || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return file;
  file.written = Time(std::chrono::seconds(status.st_mtim.tv_sec));
  file.bytes = static_cast<uint64_t>(status.st_size);
  return file;
}

}  // namespace

std::optional<ReadPolicy> read_policy(const std::string& path, Console& console, ExitCode& exit) {
  if (::access(path.c_str(), F_OK) != 0 && policy::preset_rules(path)) {
    config::Parsed parsed = config::parse("[policy]\npreset = " + path + "\n");
    return made_of(path, std::move(parsed.config), true);
  }
  const auto text = config::read_config_file(path);
  if (!text) {
    std::string message = text.error().message;
    if (path.find('/') == std::string::npos) {
      message += "; the presets are";
      for (const policy::Preset& preset : policy::presets())
        message += " " + std::string(preset.name);
    }
    exit = console.fail(ExitCode::kConfig, message);
    return std::nullopt;
  }
  config::Parsed parsed = config::parse(*text);
  if (!parsed.has_errors()) return made_of(path, std::move(parsed.config), false);
  Invocation named;
  named.config_path = path;
  print_errors(parsed, named, console);
  exit = ExitCode::kConfig;
  return std::nullopt;
}

std::optional<LogFiles> read_logs(const Invocation& invocation, std::string_view command,
                                  Console& console, ExitCode& exit) {
  const auto usage = [&](const std::string& message) {
    exit = console.fail(ExitCode::kUsage,
                        message + "\nhelp: saslatch " + std::string(command) + " --help");
    return std::nullopt;
  };
  // --events takes one word, and a shell's pattern gives many: the rest are plain arguments.
  std::vector<std::string> paths = invocation.values("events");
  if (paths.empty()) return usage("--events LOG says what to try it on");
  paths.insert(paths.end(), invocation.arguments.begin(), invocation.arguments.end());
  if (std::count(paths.begin(), paths.end(), "-") > 1) return usage("'-' is given twice");
  const auto format = replay::parse_format(invocation.value("format").value_or("auto"));
  if (!format) return usage("--format takes auto, audit, postfix or dovecot");
  LogFiles logs;
  logs.format = *format;
  for (const std::string& path : paths) logs.files.push_back(log_file(path));
  return logs;
}

Progress::~Progress() {
  if (shown_) console_.progress("");
}

void Progress::show(std::string_view doing, uint64_t done, uint64_t all, bool bytes) {
  const auto present = Clock::now();
  if (doing != doing_) {
    if (!doing_.empty()) began_ = present;
    doing_ = doing;
  }
  if (present - began_ < kPatience && !shown_) return;
  if (present - last_ < kInterval) return;
  last_ = present;
  shown_ = true;
  std::string text(doing);
  if (all > 0) {
    const double share = static_cast<double>(std::min(done, all)) / static_cast<double>(all);
    constexpr int kWidth = 30;
    const int full = static_cast<int>(share * kWidth);
    text += " [" + std::string(static_cast<size_t>(full), '#') +
            std::string(static_cast<size_t>(kWidth - full), '.') + "] " +
            std::to_string(static_cast<int>(share * 100)) + " %";
    const std::chrono::duration<double> spent = present - began_;
    if (share > 0.02) {
      const auto left = std::chrono::seconds(std::llround(spent.count() * (1 - share) / share));
      text += ", about " + replay::shown(left) + " left";
    }
  } else if (bytes) {
    text += ": " + replay::grouped(done >> 20) + " MiB read";
  }
  console_.progress(text);
}

}  // namespace saslatch::cli
