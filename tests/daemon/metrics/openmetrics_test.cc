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
using enum ExpositionFormat;

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
  const std::string text = to_text(metrics.snapshot(), kPrometheus);
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
  std::istringstream text(to_text(Metrics().snapshot(), kPrometheus));
  int figures = 0;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# TYPE ")) ++figures;
    if (line.starts_with("# HELP ")) {
      EXPECT_THAT(line, MatchesRegex("# HELP [a-z_]+ [A-Z1].*\\."));
    } else if (!line.starts_with("#")) {
      EXPECT_THAT(line, MatchesRegex("saslatch_[a-z_]+([{].*[}])? [0-9.e+]+"));
    }
  }
  const MetricsSnapshot all = Metrics().snapshot();
  EXPECT_EQ(static_cast<size_t>(figures),
            all.gauges.size() + all.machine.size() + all.counters.size() + 11);
}

TEST(Openmetrics, TellHealthMemoryAndWhatEachRuleLocks) {
  Metrics metrics;
  metrics.set_locks_by_rule({{"guess-account", 3}, {"", 1}});
  metrics.set_passdbs({{"embedded", true}, {"legacy", false}});
  metrics.resident_memory_bytes.set(12'345'678);
  metrics.state_writable.set(0);
  metrics.check_wait.observe(3ms);
  metrics.check_duration.observe(120ms);
  const std::string text = to_text(metrics.snapshot(), kPrometheus);
  for (const char* line :
       {"saslatch_rule_locks{rule=\"guess-account\"} 3\n", "saslatch_rule_locks{rule=\"\"} 1\n",
        "saslatch_passdb_up{passdb=\"embedded\"} 1\n", "saslatch_passdb_up{passdb=\"legacy\"} 0\n",
        "saslatch_state_writable 0\n", "saslatch_audit_writable 1\n",
        "saslatch_resident_memory_bytes 12345678\n",
        "saslatch_check_wait_seconds_bucket{le=\"0.005\"} 1\n",
        "saslatch_check_duration_seconds_sum 0.12\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Openmetrics, WriteCountersBoundsAndTheEndAsTheStandardWants) {
  Metrics metrics;
  metrics.reloads.add(2);
  const std::string text = to_text(metrics.snapshot(), kOpenmetrics);
  EXPECT_THAT(text, HasSubstr("# HELP saslatch_reloads Reloads done.\n"
                              "# TYPE saslatch_reloads counter\nsaslatch_reloads_total 2\n"));
  EXPECT_THAT(text, HasSubstr("{le=\"0.0005\"}"));
  EXPECT_THAT(text, HasSubstr("{le=\"1.0\"}"));
  EXPECT_THAT(text, HasSubstr("{le=\"+Inf\"}"));
  EXPECT_THAT(text, Not(HasSubstr("_total counter")));
  EXPECT_EQ(text.find("# EOF"), text.size() - 6);
}

}  // namespace
}  // namespace saslatch
