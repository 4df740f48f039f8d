#include "daemon/metrics/openmetrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
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
    {"held_answers", "Answers waiting for their failure-delay."},
    {"check_queue", "Credentials waiting for a hash worker."},
    {"checks_running", "Credentials being verified."},
    {"lookup_queue", "Attempts waiting for a passdb to be asked."},
    {"lookups_running", "Passdbs being asked."},
    {"verdicts_remembered", "Logins whose password had been verified a moment ago."},
    {"subjects", "Subjects that the policy tracks."},
    {"locks", "Live locks."},
    {"familiar_networks", "Familiar networks of all accounts."},
    {"passdbs_down", "Passdbs that cannot be asked now."},
    {"shared_reachable", "1 while attempts are counted together with other hosts."},
    {"shared_backlog", "What waits to be told to other hosts."},
    {"subjects_limit", "Subjects that the policy may track, max-subjects."},
    {"policy_memory_bytes", "Memory of the policy's tables."},
    {"resident_memory_bytes", "Memory of the process."},
    {"state_writable", "1 while locks and counters are saved, 0 while only in memory."},
    {"audit_writable", "1 while the audit log can be written."},
    {"connections_accepted", "Connections accepted."},
    {"out_of_memory", "Requests and connections given up for want of memory."},
    {"protocol_errors", "Connections closed for breaking the protocol."},
    {"held_released_early", "Held answers released early for max-hold or held-answers."},
    {"locks_made", "Locks made."},
    {"locks_cleared", "Locks cleared by an administrator."},
    {"locks_evicted", "Live locks dropped because max-subjects was full of locks."},
    {"subjects_evicted", "Subjects dropped because max-subjects was reached."},
    {"state_write_failures", "Writes of policy state that failed."},
    {"shared_unanswered", "Attempts decided without the state that hosts share."},
    {"shared_dropped", "Attempts that other hosts will not hear of."},
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

MetricFamily durations(std::string name, std::string help, const HistogramSnapshot& histogram) {
  MetricFamily all = family(std::move(name), std::move(help), MetricType::Histogram);
  ClientMetric metric;
  uint64_t sum = 0;
  for (size_t i = 0; i < histogram.buckets.size(); ++i) {
    sum += histogram.buckets[i];
    const double bound = i < kLatencyBounds.size()
                             ? static_cast<double>(kLatencyBounds[i]) / kMicrosecondsPerSecond
                             : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({sum, bound});
  }
  metric.histogram.sample_count = sum;
  metric.histogram.sample_sum = static_cast<double>(histogram.sum_us) / kMicrosecondsPerSecond;
  all.metric.push_back(std::move(metric));
  return all;
}

template <typename Value>
MetricFamily gauges_by(std::string name, std::string help, const std::string& label,
                       const std::vector<std::pair<std::string, Value>>& rows) {
  MetricFamily all = family(std::move(name), std::move(help), MetricType::Gauge);
  for (const auto& [key, value] : rows) {
    ClientMetric& metric = all.metric.emplace_back();
    metric.label = {{label, key}};
    metric.gauge.value = static_cast<double>(value);
  }
  return all;
}

// OpenMetrics 1.0.0: the family of a counter has no _total, bounds are written as floats, and the
// text says where it ends.
std::string in_openmetrics(const std::string& text) {
  constexpr std::string_view kTotal = "_total";
  constexpr std::string_view kBound = "le=\"";
  std::string out;
  out.reserve(text.size() + 256);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("# ")) {
      const size_t name_end = line.find(' ', line.find(' ', 2) + 1);
      if (std::string_view(line).substr(0, name_end).ends_with(kTotal)) {
        line.erase(name_end - kTotal.size(), kTotal.size());
      }
    } else if (const size_t bound = line.find(kBound); bound != std::string::npos) {
      const size_t value = bound + kBound.size();
      const size_t quote = line.find('"', value);
      if (line.substr(value, quote - value).find_first_not_of("0123456789") == std::string::npos) {
        line.insert(quote, ".0");
      }
    }
    out += line;
    out += '\n';
  }
  return out + "# EOF\n";
}

}  // namespace

std::string to_text(const MetricsSnapshot& snapshot, ExpositionFormat format) {
  std::vector<MetricFamily> families = {
      attempts(snapshot),
      attempts_by("mechanism", snapshot.by_mechanism),
      attempts_by("listener", snapshot.by_listener),
      durations("attempt_duration_seconds", "From the credential's arrival to the decision.",
                snapshot.latency),
      durations("check_wait_seconds", "How long a credential waited for a hash worker.",
                snapshot.check_wait),
      durations("check_duration_seconds", "How long a worker verified a credential.",
                snapshot.check_duration),
      durations("lookup_wait_seconds", "How long an attempt waited before a passdb was asked.",
                snapshot.lookup_wait),
      durations("lookup_duration_seconds", "How long a passdb took.", snapshot.lookup_duration),
      gauges_by("rule_locks", "Live locks by the rule that set them.", "rule",
                snapshot.locks_by_rule),
      gauges_by("passdb_up", "1 while the passdb can be asked, else 0.", "passdb",
                snapshot.passdbs)};
  for (const auto* gauges : {&snapshot.gauges, &snapshot.machine}) {
    for (const auto& [name, value] : *gauges) {
      families.push_back(family(std::string(name), help_of(name), MetricType::Gauge));
      families.back().metric.emplace_back().gauge.value = static_cast<double>(value);
    }
  }
  for (const auto& [name, value] : snapshot.counters) {
    families.push_back(family(std::string(name) + "_total", help_of(name), MetricType::Counter));
    families.back().metric.push_back(counted({}, value));
  }
  families.push_back(family("build_info", "The version that runs; always 1.", MetricType::Gauge));
  families.back().metric.emplace_back().gauge.value = 1;
  families.back().metric.back().label = {{"version", SASLATCH_VERSION}};
  std::string text = prometheus::TextSerializer().prometheus::Serializer::Serialize(families);
  switch (format) {
    case ExpositionFormat::kPrometheus:
      return text;
    case ExpositionFormat::kOpenmetrics:
      break;
  }
  return in_openmetrics(text);
}

}  // namespace saslatch
