#include "daemon/cli/replay_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "daemon/audit/safe_text.h"
#include "daemon/cli/replay_inputs.h"
#include "daemon/replay/html_report.h"
#include "daemon/replay/words.h"

namespace saslatch::cli {
namespace {

// Other limits are tried for so many rules of a report: each limit replays the whole log once more.
constexpr size_t kCurves = 2;

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

}  // namespace

ExitCode policy_replay(const Invocation& invocation, Console& console) {
  const auto policy_path = invocation.value("policy");
  if (!policy_path)
    return console.fail(ExitCode::kUsage,
                        "--policy FILE says which policy to try\n"
                        "help: saslatch policy replay --help");
  ExitCode exit = ExitCode::kOk;
  const auto logs = read_logs(invocation, "policy replay", console, exit);
  if (!logs) return exit;
  replay::Options options;
  auto policy = read_policy(*policy_path, console, exit);
  if (!policy) return exit;
  options.policy = std::move(policy->candidate);
  if (const auto other = invocation.value("compare")) {
    auto read = read_policy(*other, console, exit);
    if (!read) return exit;
    options.other = std::move(read->candidate);
  }
  replay::SystemZone zone;
  auto stream = replay::FactStream::open(logs->files, logs->format, zone);
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
      progress.show(curves ? "trying other limits" : "replaying", done, all, !curves);
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
