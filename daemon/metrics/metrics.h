#ifndef SASLATCH_DAEMON_METRICS_METRICS_H_
#define SASLATCH_DAEMON_METRICS_METRICS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/audit/audit.h"

namespace saslatch {

// A figure that only grows. Thread-safe.
class Counter {
 public:
  void add(uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  // For one that somebody else counts; one writer.
  void follow(uint64_t total) { value_.store(total, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A figure that goes up and down. Thread-safe.
class Gauge {
 public:
  explicit Gauge(int64_t value = 0) : value_(value) {}
  void add(int64_t by) { value_.fetch_add(by, std::memory_order_relaxed); }
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_;
};

inline constexpr size_t kAuthOutcomes = 4;
inline constexpr size_t kAuthCauses = 11;  // those of AuthCause, and none

// Upper bounds of the histogram of AuthEvent::took, in microseconds; one more bucket is without
// bound. From a cached refusal to what max-hold allows.
inline constexpr std::array<int64_t, 13> kLatencyBounds = {
    500,     1'000,   2'500,   5'000,     10'000,    25'000,   50'000,
    100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000};

struct HistogramSnapshot {
  // Per bucket (not cumulative), last: above all bounds.
  std::array<uint64_t, kLatencyBounds.size() + 1> buckets{};
  uint64_t sum_us = 0;
};

// How long something took, in the buckets of kLatencyBounds. Thread-safe.
class Histogram {
 public:
  void observe(std::chrono::nanoseconds took);
  void add_to(HistogramSnapshot& sum) const;

 private:
  std::array<std::atomic<uint64_t>, kLatencyBounds.size() + 1> buckets_{};
  std::atomic<uint64_t> sum_us_{0};
};

// All figures at (nearly) one moment, as plain values.
struct MetricsSnapshot {
  using ByOutcome = std::array<uint64_t, kAuthOutcomes>;  // index: AuthOutcome

  [[nodiscard]] uint64_t attempts(AuthOutcome outcome) const;
  [[nodiscard]] uint64_t attempts(AuthOutcome outcome, AuthCause cause) const;

  // [outcome][cause]; the last column is "no cause".
  std::array<std::array<uint64_t, kAuthCauses>, kAuthOutcomes> by_cause{};
  std::map<std::string, ByOutcome> by_mechanism;  // "other": none of ours, or beyond kMaxNames
  std::map<std::string, ByOutcome> by_listener;
  HistogramSnapshot latency;         // AuthEvent::took
  HistogramSnapshot check_wait;      // in the queue for a worker
  HistogramSnapshot check_duration;  // on a worker
  HistogramSnapshot lookup_wait;     // before a passdb is asked
  HistogramSnapshot lookup_duration;
  std::vector<std::pair<std::string, uint64_t>> locks_by_rule;
  std::vector<std::pair<std::string, bool>> passdbs;  // true: it can be asked
  // What a monitoring system watches besides: memory, bounds, health. 1 is healthy.
  std::vector<std::pair<std::string_view, int64_t>> machine;
  // Every Counter and Gauge of Metrics by its name, in the order of their declaration.
  std::vector<std::pair<std::string_view, int64_t>> gauges;
  std::vector<std::pair<std::string_view, uint64_t>> counters;
};

// The daemon's figures: `saslatch status` shows them, a `protocol = metrics` listener exposes them.
// Thread-safe; counting takes no lock.
class Metrics {
 public:
  // Counts one decided attempt.
  void count(const AuthEvent& event);

  [[nodiscard]] MetricsSnapshot snapshot() const;

  Gauge connections;        // clients connected to any listener
  Gauge held_answers;       // answers waiting for their failure-delay
  Gauge check_queue;        // credentials waiting for a worker
  Gauge checks_running;     // credentials being verified
  Gauge lookup_queue;       // attempts waiting for a passdb to be asked
  Gauge lookups_running;    // passdbs being asked
  Gauge subjects;           // tracked by the policy
  Gauge locks;              // live ones
  Gauge familiar_networks;  // (user, network) pairs
  Gauge passdbs_down;
  Gauge shared_reachable;  // 1: counting together with other hosts
  Gauge shared_backlog;    // what waits to be told to them

  Gauge subjects_limit;         // max-subjects
  Gauge policy_memory_bytes;    // of the policy's tables
  Gauge resident_memory_bytes;  // of the process
  Gauge state_writable{1};      // 0: locks and counters are kept in memory only
  Gauge audit_writable{1};

  Histogram check_wait;
  Histogram check_duration;
  Histogram lookup_wait;
  Histogram lookup_duration;

  Counter verdicts_remembered;  // logins whose slow hash was known to be right
  Counter connections_accepted;
  Counter out_of_memory;        // pieces of work that were given up for want of memory
  Counter protocol_errors;      // connections closed for breaking the protocol
  Counter held_released_early;  // for max-hold or held-answers
  Counter locks_made;
  Counter locks_cleared;  // by an administrator
  Counter locks_evicted;  // live ones, because max-subjects was full of locks
  Counter subjects_evicted;
  Counter state_write_failures;
  Counter shared_unanswered;  // attempts that went by this host's own state instead
  Counter shared_dropped;     // attempts that the other hosts will never hear of
  Counter audit_dropped;
  Counter reloads;
  Counter reloads_failed;

  // Figures that have a label. Its values are names of the configuration, so they are as bounded as
  // it is; no client can add one.
  void set_locks_by_rule(std::vector<std::pair<std::string, uint64_t>> by_rule);
  void set_passdbs(std::vector<std::pair<std::string, bool>> passdbs);

  // More different names than this are counted as "other".
  static constexpr size_t kMaxNames = 32;

 private:
  // Grows only; found without a lock. A name is published by the store to size_.
  class Names {
   public:
    [[nodiscard]] size_t index(std::string_view name);  // kMaxNames: other
    [[nodiscard]] size_t size() const { return size_.load(std::memory_order_acquire); }
    [[nodiscard]] const std::string& operator[](size_t i) const { return names_[i]; }

   private:
    std::array<std::string, kMaxNames> names_;
    std::atomic<size_t> size_{0};
    std::mutex growing_;
  };

  template <size_t kColumns>
  using Row = std::array<std::atomic<uint64_t>, kColumns>;

  // Event loops count in shards of their own, or they would pass one cache line to and fro.
  struct alignas(64) Shard {
    std::array<Row<kAuthCauses>, kAuthOutcomes> by_cause{};
    std::array<Row<kAuthOutcomes>, kMaxNames + 1> by_mechanism{};
    std::array<Row<kAuthOutcomes>, kMaxNames + 1> by_listener{};
    Histogram latency;
  };
  static constexpr size_t kShards = 8;
  Shard& shard();

  Names mechanisms_, listeners_;
  std::array<Shard, kShards> shards_;
  mutable std::mutex labelled_;
  std::vector<std::pair<std::string, uint64_t>> locks_by_rule_;  // these two by labelled_
  std::vector<std::pair<std::string, bool>> passdbs_;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_METRICS_METRICS_H_
