#include "daemon/cli/replay_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "daemon/audit/safe_text.h"
#include "daemon/cli/settings.h"
#include "daemon/policy/presets.h"
#include "daemon/replay/html_report.h"
#include "daemon/replay/words.h"

namespace saslatch::cli {
namespace {

using replay::Time;

// Other limits are tried for so many rules of a report: each limit replays the whole log once more.
constexpr size_t kCurves = 2;

replay::Candidate candidate_of(std::string name, config::Config config) {
  replay::Candidate candidate;
  candidate.name = std::move(name);
  const Settings settings = make_settings(std::move(config));
  candidate.settings = settings.config.policy;
  candidate.normalise = [rules = settings.usernames](std::string_view user) {
    return normalise_username(user, rules);
  };
  return candidate;
}

// A configuration's policy, or a preset by its name where there is no such file.
std::optional<replay::Candidate> read_policy(const std::string& path, Console& console,
                                             ExitCode& exit) {
  if (::access(path.c_str(), F_OK) != 0 && policy::preset_rules(path)) {
    config::Parsed parsed = config::parse("[policy]\npreset = " + path + "\n");
    return candidate_of(path, std::move(parsed.config));
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
  if (!parsed.has_errors()) return candidate_of(path, std::move(parsed.config));
  Invocation named;
  named.config_path = path;
  print_errors(parsed, named, console);
  exit = ExitCode::kConfig;
  return std::nullopt;
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

// A file that stands there whole or not at all: it is written under a name that nobody knows and
// moved at the end. What is no file (a pipe, /dev/null) is written to as it is.
class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)) {
    std::error_code none;
    const auto type = std::filesystem::status(path_, none).type();
    if (type == std::filesystem::file_type::regular ||
        type == std::filesystem::file_type::not_found) {
      temporary_ = path_ + ".XXXXXX";
      const int made = ::mkostemp(temporary_.data(), O_CLOEXEC);
      if (made < 0) {
        fail();
        temporary_.clear();
        return;
      }
      // As a file has it that is simply opened.
      const mode_t mask = ::umask(0);
      ::umask(mask);
      ::fchmod(made, 0666 & ~mask);
      ::close(made);
    }
    out_.open(temporary_.empty() ? path_ : temporary_, std::ios::binary);
    if (!out_) fail();
  }
  ~OutputFile() {
    if (!done_ && !temporary_.empty()) ::unlink(temporary_.c_str());
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  std::ofstream& stream() { return out_; }
  // Empty: all is well so far.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] bool finish() {
    out_.close();
    if (!out_ || (!temporary_.empty() && ::rename(temporary_.c_str(), path_.c_str()) != 0)) {
      fail();
      return false;
    }
    return done_ = true;
  }

 private:
  void fail() { trouble_ = path_ + ": " + std::strerror(errno); }

  std::string path_;
  std::string temporary_;  // empty: written in place
  std::ofstream out_;
  std::string trouble_;
  bool done_ = false;
};

// {"file":...,"line":...,"ts":...,"decision":...,"rule":...,"subject":...}
void append_decision(const replay::Attempt& attempt, const replay::Judged& judged,
                     const std::string& file, std::string& out) {
  out += "{\"file\":";
  append_json_string(file, out);
  out += ",\"line\":" + std::to_string(attempt.line) + ",\"ts\":\"" + replay::shown(attempt.at) +
         "\",\"decision\":\"";
  out += replay::to_string(judged.decision);
  out += '"';
  if (!judged.rule.empty()) {
    out += ",\"rule\":";
    append_json_string(judged.rule, out);
    out += ",\"subject\":";
    append_json_string(judged.subject, out);
  }
  out += "}\n";
}

// "replaying: 41 %, about 12s left", from the third second on.
class Progress {
 public:
  explicit Progress(Console& console) : console_(console), began_(Clock::now()) {}
  ~Progress() {
    if (shown_) console_.progress("");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(uint64_t done, uint64_t all, bool curves) {
    const auto present = Clock::now();
    if (curves != curves_) {
      curves_ = curves;
      began_ = present;
    }
    if (present - began_ < kPatience && !shown_) return;
    if (present - last_ < kInterval) return;
    last_ = present;
    shown_ = true;
    std::string text = curves ? "trying other limits" : "replaying";
    if (all > 0) {
      const double share = static_cast<double>(std::min(done, all)) / static_cast<double>(all);
      constexpr int kWidth = 30;
      const int full = static_cast<int>(share * kWidth);
      text += " [" + std::string(static_cast<size_t>(full), '#') +
              std::string(static_cast<size_t>(kWidth - full), '.') + "] " +
              std::to_string(static_cast<int>(share * 100)) + " %";
      const std::chrono::duration<double> spent = present - began_;
      if (share > 0.02) {
        const auto left =
            std::chrono::seconds(static_cast<int64_t>(spent.count() * (1 - share) / share + 0.5));
        text += ", about " + replay::shown(left) + " left";
      }
    } else {
      text += ": " + replay::grouped(done >> 20) + " MiB read";
    }
    console_.progress(text);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kPatience{2};
  static constexpr std::chrono::milliseconds kInterval{200};
  Console& console_;
  Clock::time_point began_;
  Clock::time_point last_{};
  bool shown_ = false;
  bool curves_ = false;
};

// --events takes one word, and a shell's pattern gives many: the rest are plain arguments.
std::vector<std::string> log_paths(const Invocation& invocation) {
  std::vector<std::string> paths = invocation.values("events");
  paths.insert(paths.end(), invocation.arguments.begin(), invocation.arguments.end());
  return paths;
}

}  // namespace

ExitCode policy_replay(const Invocation& invocation, Console& console) {
  const auto usage = [&](const std::string& message) {
    return console.fail(ExitCode::kUsage, message + "\nhelp: saslatch policy replay --help");
  };
  const auto policy_path = invocation.value("policy");
  if (!policy_path) return usage("--policy FILE says which policy to try");
  const std::vector<std::string> paths = log_paths(invocation);
  if (invocation.values("events").empty()) return usage("--events LOG says what to try it on");
  if (std::count(paths.begin(), paths.end(), "-") > 1) return usage("'-' is given twice");
  const auto format = replay::parse_format(invocation.value("format").value_or("auto"));
  if (!format) return usage("--format takes auto, audit, postfix or dovecot");

  ExitCode exit = ExitCode::kOk;
  replay::Options options;
  auto policy = read_policy(*policy_path, console, exit);
  if (!policy) return exit;
  options.policy = std::move(*policy);
  if (const auto other = invocation.value("compare")) {
    options.other = read_policy(*other, console, exit);
    if (!options.other) return exit;
  }

  std::vector<replay::FactStream::File> files;
  for (const std::string& path : paths) files.push_back(log_file(path));
  replay::SystemZone zone;
  auto stream = replay::FactStream::open(files, *format, zone);
  if (!stream) return console.fail(ExitCode::kBadData, stream.error().message);

  std::optional<OutputFile> decisions;
  std::string line;
  if (const auto path = invocation.value("decisions")) {
    decisions.emplace(*path);
    if (!decisions->trouble().empty())
      return console.fail(ExitCode::kCantCreate, decisions->trouble());
    options.on_decision = [&](const replay::Attempt& attempt, const replay::Judged& judged) {
      line.clear();
      append_decision(attempt, judged, (*stream)->reports()[attempt.file].path, line);
      decisions->stream() << line;
    };
  }
  std::optional<OutputFile> report;
  if (const auto path = invocation.value("report")) {
    report.emplace(*path);
    if (!report->trouble().empty()) return console.fail(ExitCode::kCantCreate, report->trouble());
    options.curves = kCurves;
  }
  replay::Findings findings;
  {
    Progress progress(console);
    options.on_progress = [&](uint64_t done, uint64_t all, bool curves) {
      progress.show(done, all, curves);
    };
    findings = replay::replay(**stream, options, zone);
  }
  if (decisions && !decisions->finish())
    return console.fail(ExitCode::kCantCreate, decisions->trouble());
  if (report) {
    report->stream() << replay::html_report(findings, zone);
    if (!report->finish()) return console.fail(ExitCode::kCantCreate, report->trouble());
  }
  if (console.style().json) {
    console.print(findings_json(findings));
  } else {
    print_findings(findings, console);
  }
  return findings.summary.attempts == 0 ? ExitCode::kBadData : ExitCode::kOk;
}

}  // namespace saslatch::cli
