#include "daemon/metrics/openmetrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <utility>

namespace saslatch {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kMicrosecondsPerSecond = 1e6;

// What a figure of Metrics means, for who reads the exposition.
constexpr std::pair<std::string_view, std::string_view> kHelp[] = {
    {"connections", "Clients connected to any listener."},
    {"exchanges", "Authentications begun and not yet answered."},
    {"held_answers", "Answers waiting for their failure-delay."},
    {"check_queue", "Credentials waiting for a worker."},
    {"checks_running", "Credentials being verified."},
    {"subjects", "Subjects that the policy tracks."},
    {"locks", "Live locks."},
    {"familiar_networks", "Familiar networks of all accounts."},
    {"passdbs_down", "Passdbs that cannot be asked now."},
    {"connections_accepted", "Connections accepted."},
    {"connections_refused", "Connections not taken because a bound was reached."},
    {"protocol_errors", "Connections closed for breaking the protocol."},
    {"held_released_early", "Held answers released early for max-hold or held-answers."},
    {"locks_made", "Locks made."},
    {"locks_cleared", "Locks cleared by an administrator."},
    {"locks_evicted", "Live locks dropped because max-subjects was full of locks."},
    {"subjects_evicted", "Subjects dropped because max-subjects was reached."},
    {"state_write_failures", "Writes of policy state that failed."},
    {"audit_dropped", "Audit events dropped because the log could not take them."},
    {"reloads", "Reloads done."},
    {"reloads_failed", "Reloads refused because the configuration was wrong."},
};

std::string help_of(std::string_view name) {
  for (const auto& [known, help] : kHelp) {
    if (known == name) return std::string(help);
  }
  return {};
}

MetricFamily family(std::string name, std::string help, MetricType type) {
  return {"saslatch_" + std::move(name), std::move(help), type, {}};
}

ClientMetric counted(std::vector<ClientMetric::Label> labels, uint64_t value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = static_cast<double>(value);
  return metric;
}

std::string word(size_t outcome) {
  return std::string(to_string(static_cast<AuthOutcome>(outcome)));
}

MetricFamily attempts(const MetricsSnapshot& snapshot) {
  MetricFamily all = family("attempts_total", "Decided attempts.", MetricType::Counter);
  for (size_t o = 0; o < kAuthOutcomes; ++o) {
    for (size_t c = 0; c < kAuthCauses; ++c) {
      const uint64_t n = snapshot.by_cause[o][c];
      const bool no_cause = c == kAuthCauses - 1;
      // Successes have a series from the start, so that a rate over it is never "no data".
      if (n == 0 && !(no_cause && o == 0)) continue;
      const std::string cause(no_cause ? "" : to_string(static_cast<AuthCause>(c)));
      all.metric.push_back(counted({{"outcome", word(o)}, {"cause", cause}}, n));
    }
  }
  return all;
}

MetricFamily attempts_by(const std::string& label,
                         const std::map<std::string, MetricsSnapshot::ByOutcome>& rows) {
  MetricFamily all =
      family(label + "_attempts_total", "Decided attempts by " + label + ".", MetricType::Counter);
  for (const auto& [name, row] : rows) {
    for (size_t o = 0; o < kAuthOutcomes; ++o) {
      if (row[o] != 0) all.metric.push_back(counted({{label, name}, {"outcome", word(o)}}, row[o]));
    }
  }
  return all;
}

MetricFamily durations(const MetricsSnapshot& snapshot) {
  MetricFamily all = family("attempt_duration_seconds",
                            "From the credential's arrival to the answer, failure-delay included.",
                            MetricType::Histogram);
  ClientMetric metric;
  uint64_t sum = 0;
  for (size_t i = 0; i < snapshot.latency.size(); ++i) {
    sum += snapshot.latency[i];
    const double bound = i < kLatencyBounds.size()
                             ? static_cast<double>(kLatencyBounds[i]) / kMicrosecondsPerSecond
                             : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({sum, bound});
  }
  metric.histogram.sample_count = sum;
  metric.histogram.sample_sum =
      static_cast<double>(snapshot.latency_sum_us) / kMicrosecondsPerSecond;
  all.metric.push_back(std::move(metric));
  return all;
}

}  // namespace

std::string to_openmetrics(const MetricsSnapshot& snapshot) {
  std::vector<MetricFamily> families = {
      attempts(snapshot), attempts_by("mechanism", snapshot.by_mechanism),
      attempts_by("listener", snapshot.by_listener), durations(snapshot)};
  for (const auto& [name, value] : snapshot.gauges) {
    families.push_back(family(std::string(name), help_of(name), MetricType::Gauge));
    families.back().metric.emplace_back().gauge.value = static_cast<double>(value);
  }
  for (const auto& [name, value] : snapshot.counters) {
    families.push_back(family(std::string(name) + "_total", help_of(name), MetricType::Counter));
    families.back().metric.push_back(counted({}, value));
  }
  families.push_back(family("build_info", "The version that runs; always 1.", MetricType::Gauge));
  families.back().metric.emplace_back().gauge.value = 1;
  families.back().metric.back().label = {{"version", SASLATCH_VERSION}};
  return prometheus::TextSerializer().prometheus::Serializer::Serialize(families);
}

}  // namespace saslatch
