#ifndef SASLATCH_DAEMON_METRICS_OPENMETRICS_H_
#define SASLATCH_DAEMON_METRICS_OPENMETRICS_H_

#include <string>

#include "daemon/metrics/metrics.h"

namespace saslatch {

// The figures in the text exposition format of Prometheus, version 0.0.4: names begin with
// saslatch_, counters end in _total, durations are in seconds. docs/OPERATIONS.md lists them. Pure;
// costs some 50 microseconds and is for a scrape, not for a login's path.
std::string to_openmetrics(const MetricsSnapshot& snapshot);

// The media type of it.
inline constexpr const char* kOpenmetricsType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_METRICS_OPENMETRICS_H_
