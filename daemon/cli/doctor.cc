#include "daemon/cli/doctor.h"

#include <unistd.h>

#include <algorithm>

#include "daemon/config/check.h"
#include "daemon/config/parse.h"

namespace saslatch::cli {
namespace {

// Schemes and passdbs are looked at by checks of their own.
class MachineEnvironment final : public config::SystemEnvironment {
 public:
  Trouble scheme(const std::string&) override { return std::nullopt; }
  Trouble passdb(const config::PassdbConfig&, const config::Config&) override {
    return std::nullopt;
  }
};

void check_configuration(const config::Parsed& parsed, const std::string& path,
                         Findings& findings) {
  std::vector<config::Problem> problems = parsed.problems;
  if (!parsed.has_errors()) {
    MachineEnvironment machine;
    const auto more = config::check(parsed, machine);
    problems.insert(problems.end(), more.begin(), more.end());
  }
  for (const config::Problem& problem : problems) {
    const bool error = problem.kind == config::Problem::Kind::kError;
    findings.push_back({"configuration", error ? Health::kFail : Health::kWarn,
                        config::to_string(problem, path),
                        error ? "mend the line; `saslatchd --check` shows all of them"
                              : "see docs/POLICY.md if this is not what you mean"});
  }
  if (problems.empty()) {
    findings.push_back({"configuration", Health::kOk, path + " is in order", ""});
  }
}

std::optional<UserIds> user_of_daemon(const config::DaemonConfig& daemon) {
  if (auto user = find_user(daemon.user.value_or(config::kDefaultUser))) return user;
  return std::nullopt;
}

Tone tone_of(Health health) {
  switch (health) {
    case Health::kOk:
      return Tone::kGood;
    case Health::kWarn:
      return Tone::kWarning;
    case Health::kFail:
      break;
  }
  return Tone::kBad;
}

void show(const Findings& findings, Console& console) {
  Json documents = Json::array();
  for (const Finding& finding : findings) {
    Json document{
        {"check", finding.check}, {"result", to_string(finding.health)}, {"what", finding.what}};
    if (!finding.mend.empty()) document["mend"] = finding.mend;
    documents.push_back(std::move(document));
    if (console.style().json || (console.style().quiet && finding.health == Health::kOk)) continue;
    std::string health(to_string(finding.health));
    health.resize(6, ' ');
    std::string check = finding.check;
    check.resize(std::max<size_t>(check.size() + 1, 15), ' ');
    console.verbatim(in_tone(health, tone_of(finding.health), console.style().out_colours) + check +
                     printable(finding.what) + "\n");
    if (!finding.mend.empty()) {
      console.verbatim(std::string(21, ' ') + "-> " + printable(finding.mend) + "\n");
    }
  }
  if (console.style().json) console.print(documents);
}

}  // namespace

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarn:
      return "warn";
    case Health::kFail:
      return "fail";
  }
  return "";
}

ExitCode doctor(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  const auto text = read_config_text(invocation, console, exit);
  if (!text) return exit;
  const config::Parsed parsed = config::parse(*text);
  Findings findings;
  check_configuration(parsed, invocation.config_path, findings);
  if (!parsed.has_errors()) {
    const Settings settings = make_settings(parsed.config);
    Patient patient{settings, user_of_daemon(parsed.config.daemon), ::geteuid() == 0};
    check_daemon(patient, findings);
    check_sockets(patient, findings);
    check_state(patient, findings);
    check_redis(patient, findings);
    check_passdbs(patient, findings);
    check_audit_log(patient, findings);
    check_postfix(patient, findings);
    check_cyrus_servers(patient, findings);
    check_clock(findings);
  }
  show(findings, console);
  const bool failed = std::any_of(findings.begin(), findings.end(),
                                  [](const Finding& f) { return f.health == Health::kFail; });
  return failed ? ExitCode::kConfig : ExitCode::kOk;
}

}  // namespace saslatch::cli
