#include "daemon/metrics/metrics.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace saslatch {
namespace {

using namespace std::chrono_literals;

AuthEvent attempt(AuthOutcome outcome, std::optional<AuthCause> cause, std::string mech,
                  std::string listener, std::chrono::microseconds took) {
  AuthEvent e;
  e.outcome = outcome;
  e.cause = cause;
  e.mech = std::move(mech);
  e.listener = std::move(listener);
  e.took = took;
  return e;
}

TEST(Metrics, CountAttemptsByOutcomeCauseMechanismAndListener) {
  Metrics metrics;
  const auto ok = attempt(AuthOutcome::kOk, std::nullopt, "PLAIN", "postfix", 80ms);
  const auto bad = attempt(AuthOutcome::kFail, AuthCause::kBadCredential, "LOGIN", "exim", 1500ms);
  metrics.count(ok);
  metrics.count(ok);
  metrics.count(bad);
  const MetricsSnapshot all = metrics.snapshot();
  EXPECT_EQ(all.attempts(AuthOutcome::kOk), 2u);
  EXPECT_EQ(all.attempts(AuthOutcome::kFail), 1u);
  EXPECT_EQ(all.attempts(AuthOutcome::kFail, AuthCause::kBadCredential), 1u);
  EXPECT_EQ(all.attempts(AuthOutcome::kFail, AuthCause::kUnknownUser), 0u);
  EXPECT_EQ(all.by_mechanism, (std::map<std::string, MetricsSnapshot::ByOutcome>{
                                  {"LOGIN", {0, 1, 0, 0}}, {"PLAIN", {2, 0, 0, 0}}}));
  EXPECT_EQ(all.by_listener, (std::map<std::string, MetricsSnapshot::ByOutcome>{
                                 {"exim", {0, 1, 0, 0}}, {"postfix", {2, 0, 0, 0}}}));
  EXPECT_EQ(all.latency.sum_us, 1'660'000u);
}

TEST(Metrics, PutADurationInTheBucketThatEndsAtOrAboveIt) {
  const std::pair<std::chrono::microseconds, size_t> kCases[] = {
      {-1us, 0}, {0us, 0}, {500us, 0}, {501us, 1}, {1ms, 1}, {5s, 12}, {5'000'001us, 13}, {1h, 13}};
  for (const auto& [took, bucket] : kCases) {
    Metrics metrics;
    metrics.count(attempt(AuthOutcome::kOk, std::nullopt, "PLAIN", "postfix", took));
    EXPECT_EQ(metrics.snapshot().latency.buckets[bucket], 1u) << took.count();
  }
}

TEST(Metrics, DoNotGrowWithNamesAClientMakesUp) {
  Metrics metrics;
  for (int i = 0; i < 100; ++i) {
    metrics.count(attempt(AuthOutcome::kFail, AuthCause::kMechanism, "X" + std::to_string(i),
                          "listener" + std::to_string(i), 0us));
  }
  metrics.count(attempt(AuthOutcome::kOk, std::nullopt, "PLAIN", "listener0", 0us));
  const MetricsSnapshot all = metrics.snapshot();
  EXPECT_EQ(all.by_mechanism.size(), 2u);
  EXPECT_EQ(all.by_mechanism.at("other")[1], 100u);
  EXPECT_EQ(all.by_mechanism.at("PLAIN")[0], 1u) << "crowded out by made-up names";
  EXPECT_EQ(all.by_listener.size(), Metrics::kMaxNames + 1);
  EXPECT_EQ(all.by_listener.at("other")[1], 100u - Metrics::kMaxNames);
}

TEST(Metrics, LoseNothingWhenThreadsCountAtOnce) {
  constexpr int kThreads = 6, kEach = 5000;
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&metrics, t] {
      const auto event = attempt(AuthOutcome::kOk, std::nullopt, "M" + std::to_string(t % 3),
                                 "L" + std::to_string(t), 1ms);
      for (int i = 0; i < kEach; ++i) metrics.count(event);
      metrics.held_answers.add(3);
      metrics.held_answers.add(-2);
      metrics.protocol_errors.add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  const MetricsSnapshot all = metrics.snapshot();
  EXPECT_EQ(all.attempts(AuthOutcome::kOk), uint64_t{kThreads} * kEach);
  EXPECT_EQ(all.by_mechanism.size(), 3u);
  for (const auto& [name, row] : all.by_mechanism) EXPECT_EQ(row[0], 2u * kEach) << name;
  for (const auto& [name, row] : all.by_listener) EXPECT_EQ(row[0], uint64_t{kEach}) << name;
  EXPECT_EQ(std::accumulate(all.latency.buckets.begin(), all.latency.buckets.end(), uint64_t{0}),
            uint64_t{kThreads} * kEach);
  for (const auto& [name, value] : all.gauges) {
    EXPECT_EQ(value, name == "held_answers" ? kThreads : 0) << name;
  }
}

}  // namespace
}  // namespace saslatch
