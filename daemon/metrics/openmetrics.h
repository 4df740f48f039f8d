#ifndef SASLATCH_DAEMON_METRICS_OPENMETRICS_H_
#define SASLATCH_DAEMON_METRICS_OPENMETRICS_H_

#include <string>

#include "daemon/metrics/metrics.h"

namespace saslatch {

// What a client may ask for: the text format of Prometheus, version 0.0.4, or OpenMetrics 1.0.0.
enum class ExpositionFormat { kPrometheus, kOpenmetrics };

// The figures as text: names begin with saslatch_, counters end in _total, durations are in
// seconds. docs/OPERATIONS.md lists them. Pure; costs some 100 microseconds and is for a scrape,
// not for a login's path.
std::string to_text(const MetricsSnapshot& snapshot, ExpositionFormat format);

// The media type of it.
constexpr const char* media_type(ExpositionFormat format) {
  return format == ExpositionFormat::kOpenmetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_METRICS_OPENMETRICS_H_
