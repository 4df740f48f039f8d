#include "daemon/metrics/openmetrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace saslatch {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST(Openmetrics, TellWhatWasCounted) {
  Metrics metrics;
  AuthEvent event;
  event.outcome = AuthOutcome::kFail;
  event.cause = AuthCause::kUnknownUser;
  event.mech = "PLAIN";
  event.listener = "post\"fix\\\n";
  event.took = 1503ms;
  metrics.count(event);
  metrics.count(event);
  metrics.held_answers.set(7);
  metrics.audit_dropped.add(3);
  const std::string text = to_openmetrics(metrics.snapshot());
  for (const char* line :
       {"# TYPE saslatch_attempts_total counter\n",
        "saslatch_attempts_total{outcome=\"ok\",cause=\"\"} 0\n",
        "saslatch_attempts_total{outcome=\"fail\",cause=\"unknown-user\"} 2\n",
        "saslatch_mechanism_attempts_total{mechanism=\"PLAIN\",outcome=\"fail\"} 2\n",
        "saslatch_listener_attempts_total{listener=\"post\\\"fix\\\\\\n\",outcome=\"fail\"} 2\n",
        "saslatch_attempt_duration_seconds_bucket{le=\"1\"} 0\n",
        "saslatch_attempt_duration_seconds_bucket{le=\"2.5\"} 2\n",
        "saslatch_attempt_duration_seconds_bucket{le=\"+Inf\"} 2\n",
        "saslatch_attempt_duration_seconds_sum 3.006\n",
        "saslatch_attempt_duration_seconds_count 2\n", "saslatch_held_answers 7\n",
        "saslatch_audit_dropped_total 3\n",
        "saslatch_build_info{version=\"" SASLATCH_VERSION "\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Openmetrics, SayOfEachFigureWhatItMeans) {
  std::istringstream text(to_openmetrics(Metrics().snapshot()));
  int figures = 0;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# TYPE ")) ++figures;
    if (line.starts_with("# HELP ")) {
      EXPECT_THAT(line, MatchesRegex("# HELP [a-z_]+ [A-Z].*\\."));
    } else if (!line.starts_with("#")) {
      EXPECT_THAT(line, MatchesRegex("saslatch_[a-z_]+([{].*[}])? [0-9.e+]+"));
    }
  }
  const MetricsSnapshot all = Metrics().snapshot();
  EXPECT_EQ(static_cast<size_t>(figures), all.gauges.size() + all.counters.size() + 5);
}

}  // namespace
}  // namespace saslatch
