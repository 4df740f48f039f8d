#include "daemon/control/command_json.h"

namespace saslatch::control {
namespace {

constexpr std::array<AuthOutcome, kAuthOutcomes> kOutcomes = {
    AuthOutcome::kOk, AuthOutcome::kFail, AuthOutcome::kRefused, AuthOutcome::kTemporary};
constexpr std::array<AuthCause, kAuthCauses - 1> kCauses = {
    AuthCause::kBadCredential, AuthCause::kUnknownUser, AuthCause::kDisabled, AuthCause::kMalformed,
    AuthCause::kMechanism,     AuthCause::kNeedsTls,    AuthCause::kLocked,   AuthCause::kRate,
    AuthCause::kPassdbDown,    AuthCause::kOverload};

Json listeners(const DaemonStatus& status) {
  Json all = Json::array();
  for (const ListenerStatus& listener : status.listeners) {
    all.push_back({{"name", listener.name},
                   {"protocol", listener.protocol},
                   {"socket", listener.socket},
                   {"addresses", listener.addresses},
                   {"inherited", listener.inherited},
                   {"accepting", listener.accepting},
                   {"connections", listener.connections}});
  }
  return all;
}

Json passdbs(const DaemonStatus& status) {
  Json all = Json::array();
  for (const passdb::PassdbStatus& passdb : status.passdbs) {
    Json one{{"name", passdb.name}, {"driver", passdb.driver}, {"available", passdb.available}};
    if (!passdb.available) one["trouble"] = passdb.reason;
    if (passdb.accounts) one["accounts"] = *passdb.accounts;
    all.push_back(std::move(one));
  }
  return all;
}

Json store(const StoreStatus& status) {
  Json one{{"path", status.path}, {"healthy", status.trouble.empty()}};
  if (!status.trouble.empty()) one["trouble"] = status.trouble;
  return one;
}

Json attempts(const MetricsSnapshot& figures) {
  Json all = Json::object();
  uint64_t total = 0;
  for (const AuthOutcome outcome : kOutcomes) {
    all[std::string(to_string(outcome))] = figures.attempts(outcome);
    total += figures.attempts(outcome);
  }
  all["mean_us"] = total == 0 ? 0 : figures.latency.sum_us / total;
  return all;
}

Json causes(const MetricsSnapshot& figures) {
  Json all = Json::object();
  for (const AuthCause cause : kCauses) {
    uint64_t count = 0;
    for (const AuthOutcome outcome : kOutcomes) count += figures.attempts(outcome, cause);
    all[std::string(to_string(cause))] = count;
  }
  return all;
}

Json mechanisms(const MetricsSnapshot& figures) {
  Json all = Json::object();
  for (const auto& [name, by_outcome] : figures.by_mechanism) {
    Json one = Json::object();
    for (const AuthOutcome outcome : kOutcomes) {
      one[std::string(to_string(outcome))] = by_outcome[static_cast<size_t>(outcome)];
    }
    all[name] = std::move(one);
  }
  return all;
}

bool is_healthy(const DaemonStatus& status) {
  bool healthy =
      status.state.trouble.empty() && status.audit.trouble.empty() && status.shared.trouble.empty();
  for (const auto& passdb : status.passdbs) healthy = healthy && passdb.available;
  for (const auto& listener : status.listeners) healthy = healthy && listener.accepting;
  return healthy;
}

}  // namespace

Outcome run_ping(const Parts& parts, const Call&) {
  return Json{{"version", SASLATCH_VERSION}, {"pid", parts.daemon.status().pid}};
}

Outcome run_status(const Parts& parts, const Call& call) {
  const DaemonStatus status = parts.daemon.status();
  const MetricsSnapshot figures = parts.metrics.snapshot();
  const policy::Figures policy = parts.engine.figures(call.now.policy);
  Json reply{{"version", SASLATCH_VERSION},
             {"pid", status.pid},
             {"user", status.user},
             {"healthy", is_healthy(status)},
             {"started", rfc3339(status.started)},
             {"uptime_seconds", seconds_between(status.started, call.now.policy)},
             {"config", {{"file", status.config}, {"loaded", rfc3339(status.config_loaded)}}},
             {"policy", {{"mode", status.policy_mode}, {"preset", status.preset}}},
             {"listeners", listeners(status)},
             {"passdbs", passdbs(status)},
             {"state", store(status.state)},
             {"audit", store(status.audit)},
             {"attempts", attempts(figures)},
             {"causes", causes(figures)},
             {"mechanisms", mechanisms(figures)}};
  if (!status.shared.path.empty()) reply["shared"] = store(status.shared);
  Json gauges = Json::object();
  for (const auto& [name, value] : figures.gauges) gauges[std::string(name)] = value;
  // The engine's own count is exact at this moment; the gauges follow it once a second.
  gauges["subjects"] = policy.subjects;
  gauges["locks"] = policy.locks;
  gauges["familiar_networks"] = policy.familiar;
  reply["now"] = std::move(gauges);
  Json counters = Json::object();
  for (const auto& [name, value] : figures.counters) counters[std::string(name)] = value;
  reply["since_start"] = std::move(counters);
  Json by_rule = Json::object();
  for (const auto& [rule, locks] : policy.locks_by_rule) by_rule[rule] = locks;
  reply["locks_by_rule"] = std::move(by_rule);
  return reply;
}

Outcome run_reload(const Parts& parts, const Call& call) {
  const ReloadReport report = parts.daemon.reload(call.now);
  if (!report.errors.empty()) {
    return tl::unexpected<Refused>(
        Refused{kExitConfig, "the new configuration is wrong and the old one stays in force",
                Json{{"errors", report.errors}, {"warnings", report.warnings}}});
  }
  return Json{{"warnings", report.warnings}, {"needs_restart", report.needs_restart}};
}

}  // namespace saslatch::control
