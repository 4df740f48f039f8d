#include "daemon/metrics/metrics.h"

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

namespace saslatch {
namespace {

constexpr size_t index(AuthOutcome outcome) { return static_cast<size_t>(outcome); }

constexpr size_t index(std::optional<AuthCause> cause) {
  return cause ? static_cast<size_t>(*cause) : kAuthCauses - 1;
}

void add(std::atomic<uint64_t>& to, uint64_t by = 1) {
  to.fetch_add(by, std::memory_order_relaxed);
}

uint64_t read(const std::atomic<uint64_t>& from) { return from.load(std::memory_order_relaxed); }

}  // namespace

uint64_t MetricsSnapshot::attempts(AuthOutcome outcome) const {
  uint64_t sum = 0;
  for (const uint64_t n : by_cause[index(outcome)]) sum += n;
  return sum;
}

uint64_t MetricsSnapshot::attempts(AuthOutcome outcome, AuthCause cause) const {
  return by_cause[index(outcome)][index(cause)];
}

size_t Metrics::Names::index(std::string_view name) {
  const auto find = [&](size_t from, size_t to) {
    while (from < to && names_[from] != name) ++from;
    return from;
  };
  const size_t known = size();
  const size_t found = find(0, known);
  if (found < known || known == kMaxNames) return found;
  const std::lock_guard lock(growing_);
  const size_t grown = size();
  const size_t again = find(known, grown);
  if (again < grown || grown == kMaxNames) return again;
  names_[grown] = name;
  size_.store(grown + 1, std::memory_order_release);
  return grown;
}

Metrics::Shard& Metrics::shard() {
  // Thread ids are addresses of big, aligned blocks: their hash is spread before it is cut.
  const uint64_t id = std::hash<std::thread::id>()(std::this_thread::get_id());
  return shards_[(id * 0x9e3779b97f4a7c15u) >> 61];
  static_assert(kShards == 8);
}

void Metrics::count(const AuthEvent& event) {
  Shard& s = shard();
  const size_t outcome = index(event.outcome);
  add(s.by_cause[outcome][index(event.cause)]);
  // A name that is no mechanism of ours is the client's invention and gets no row of its own.
  const bool ours = event.cause != AuthCause::kMechanism;
  add(s.by_mechanism[ours ? mechanisms_.index(event.mech) : kMaxNames][outcome]);
  add(s.by_listener[listeners_.index(event.listener)][outcome]);
  s.latency.observe(event.took);
}

void Histogram::observe(std::chrono::nanoseconds took) {
  const int64_t us =
      std::max<int64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count(), 0);
  const auto bound = std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), us);
  add(buckets_[static_cast<size_t>(bound - kLatencyBounds.begin())]);
  add(sum_us_, static_cast<uint64_t>(us));
}

void Histogram::add_to(HistogramSnapshot& sum) const {
  for (size_t i = 0; i < buckets_.size(); ++i) sum.buckets[i] += read(buckets_[i]);
  sum.sum_us += read(sum_us_);
}

void Metrics::set_locks_by_rule(std::vector<std::pair<std::string, uint64_t>> by_rule) {
  const std::lock_guard lock(labelled_);
  locks_by_rule_ = std::move(by_rule);
}

void Metrics::set_passdbs(std::vector<std::pair<std::string, bool>> passdbs) {
  const std::lock_guard lock(labelled_);
  passdbs_ = std::move(passdbs);
}

MetricsSnapshot Metrics::snapshot() const {
  MetricsSnapshot all;
  const auto add_names = [](auto& into, const Names& names, const auto& rows) {
    for (size_t i = 0; i <= kMaxNames; ++i) {
      if (i >= names.size() && i != kMaxNames) continue;
      MetricsSnapshot::ByOutcome sum{};
      for (size_t o = 0; o < kAuthOutcomes; ++o) sum[o] = read(rows[i][o]);
      if (sum == MetricsSnapshot::ByOutcome{}) continue;
      auto& row = into[i == kMaxNames ? "other" : names[i]];
      for (size_t o = 0; o < kAuthOutcomes; ++o) row[o] += sum[o];
    }
  };
  for (const Shard& s : shards_) {
    for (size_t o = 0; o < kAuthOutcomes; ++o) {
      for (size_t c = 0; c < kAuthCauses; ++c) all.by_cause[o][c] += read(s.by_cause[o][c]);
    }
    add_names(all.by_mechanism, mechanisms_, s.by_mechanism);
    add_names(all.by_listener, listeners_, s.by_listener);
    s.latency.add_to(all.latency);
  }
  check_wait.add_to(all.check_wait);
  check_duration.add_to(all.check_duration);
  lookup_wait.add_to(all.lookup_wait);
  lookup_duration.add_to(all.lookup_duration);
  {
    const std::lock_guard lock(labelled_);
    all.locks_by_rule = locks_by_rule_;
    all.passdbs = passdbs_;
  }
  all.machine = {{"subjects_limit", subjects_limit.value()},
                 {"policy_memory_bytes", policy_memory_bytes.value()},
                 {"resident_memory_bytes", resident_memory_bytes.value()},
                 {"state_writable", state_writable.value()},
                 {"audit_writable", audit_writable.value()}};
  all.gauges = {{"connections", connections.value()},
                {"held_answers", held_answers.value()},
                {"check_queue", check_queue.value()},
                {"checks_running", checks_running.value()},
                {"lookup_queue", lookup_queue.value()},
                {"lookups_running", lookups_running.value()},
                {"subjects", subjects.value()},
                {"locks", locks.value()},
                {"familiar_networks", familiar_networks.value()},
                {"passdbs_down", passdbs_down.value()},
                {"shared_reachable", shared_reachable.value()},
                {"shared_backlog", shared_backlog.value()}};
  all.counters = {{"verdicts_remembered", verdicts_remembered.value()},
                  {"connections_accepted", connections_accepted.value()},
                  {"out_of_memory", out_of_memory.value()},
                  {"protocol_errors", protocol_errors.value()},
                  {"held_released_early", held_released_early.value()},
                  {"locks_made", locks_made.value()},
                  {"locks_cleared", locks_cleared.value()},
                  {"locks_evicted", locks_evicted.value()},
                  {"subjects_evicted", subjects_evicted.value()},
                  {"state_write_failures", state_write_failures.value()},
                  {"shared_unanswered", shared_unanswered.value()},
                  {"shared_dropped", shared_dropped.value()},
                  {"audit_dropped", audit_dropped.value()},
                  {"reloads", reloads.value()},
                  {"reloads_failed", reloads_failed.value()}};
  return all;
}

}  // namespace saslatch
