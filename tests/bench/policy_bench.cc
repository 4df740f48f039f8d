// What the policy costs: a decision (reserve and settle, without the check between them) under the
// small-site preset, and memory with a million subjects. docs/PERFORMANCE.md has the figures.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "daemon/policy/engine.h"
#include "daemon/policy/presets.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::policy {
namespace {

using namespace std::chrono_literals;  // NOLINT: a benchmark

const Time kStart{std::chrono::sys_days(std::chrono::year(2030) / 1 / 1)};

std::unique_ptr<Engine> engine(std::vector<Rule> rules) {
  Settings settings;
  settings.rules = std::move(rules);
  SystemRandom random;
  return std::make_unique<Engine>(std::move(settings), HashKey{1, 2, 3}, random);
}

// Attempts made beforehand, so that their making is not measured.
struct Script {
  std::vector<std::string> users, passwords;
  std::vector<IpAddress> rips;

  explicit Script(uint32_t many) {
    for (uint32_t i = 0; i < many; ++i) {
      users.push_back("user" + std::to_string(i) + "@example.org");
      passwords.push_back("wrong password " + std::to_string(i));
      rips.push_back(*IpAddress::parse("10." + std::to_string(i >> 16 & 255) + "." +
                                       std::to_string(i >> 8 & 255) + "." +
                                       std::to_string(i & 255)));
    }
  }
  [[nodiscard]] AttemptFacts facts(size_t user, size_t rip) const {
    user %= users.size();
    return {users[user], rips[rip % rips.size()], passwords[user]};
  }
};

// A megabyte-sized resident set says more than any count of our own.
size_t resident_bytes() {
  FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long pages = 0, resident = 0;
  if (file != nullptr && std::fscanf(file, "%lu %lu", &pages, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Owners' right passwords from their usual networks: what a server does all day.
void successes(benchmark::State& state, Engine& policy, size_t users) {
  const Script script(static_cast<uint32_t>(users));
  Time now = kStart;
  for (size_t i = 0; i < script.users.size(); ++i) {
    Decision decision = policy.reserve(script.facts(i, i), now, nullptr);
    (void)policy.settle(std::move(decision.ticket), Outcome::kSuccess, now);
  }
  size_t i = 0;
  for (auto _ : state) {
    i += 7919;
    const size_t user = i % script.users.size();
    now += 1ms;
    Decision decision = policy.reserve(script.facts(user, user), now, nullptr);
    benchmark::DoNotOptimize(policy.settle(std::move(decision.ticket), Outcome::kSuccess, now));
  }
}

void BM_Success(benchmark::State& state) {
  successes(state, *engine(*preset_rules(kDefaultPreset)), 100'000);
}
BENCHMARK(BM_Success);

// As the accounts become more, each of them a subject and with a familiar network.
void BM_SuccessOfAccounts(benchmark::State& state) {
  successes(state, *engine(*preset_rules(kDefaultPreset)), static_cast<size_t>(state.range(0)));
}
BENCHMARK(BM_SuccessOfAccounts)->RangeMultiplier(10)->Range(1000, 1'000'000);

// As the rules become more: those of the preset again and again, with names of their own.
void BM_SuccessUnderRules(benchmark::State& state) {
  const std::vector<Rule> shipped = *preset_rules(kDefaultPreset);
  std::vector<Rule> rules;
  for (size_t i = 0; i < static_cast<size_t>(state.range(0)); ++i) {
    rules.push_back(shipped[i % shipped.size()]);
    rules.back().name += std::to_string(i);
  }
  successes(state, *engine(std::move(rules)), 10'000);
}
BENCHMARK(BM_SuccessUnderRules)
    ->Arg(1)
    ->Arg(2)
    ->Arg(5)
    ->Arg(10)
    ->Arg(20)
    ->Arg(30)
    ->Arg(40)
    ->Arg(50);

// Guesses at many accounts from many addresses: new counters each time, and evictions when full.
void BM_Guess(benchmark::State& state) {
  const auto policy = engine(*preset_rules(kDefaultPreset));
  const Script script(1'000'000);
  Time now = kStart;
  size_t i = 0;
  for (auto _ : state) {
    i += 7919;
    now += 1ms;
    Decision decision = policy->reserve(script.facts(i, i * 31), now, nullptr);
    if (decision.verdict != Verdict::kAllow) continue;
    benchmark::DoNotOptimize(
        policy->settle(std::move(decision.ticket), Outcome::kBadCredential, now));
  }
  state.counters["subjects"] = static_cast<double>(policy->figures(now).subjects);
}
BENCHMARK(BM_Guess)->Iterations(1'000'000);

// Knocking at what is locked: what an attack costs once it is refused.
void BM_Refused(benchmark::State& state) {
  const auto policy = engine(*preset_rules(kDefaultPreset));
  const Script script(1000);
  Time now = kStart;
  for (size_t i = 0; i < script.users.size() * 20; ++i) {
    AttemptFacts facts = script.facts(i / 20, i / 20);
    const std::string guess = std::to_string(i);
    facts.password = guess;
    Decision decision = policy->reserve(facts, now, nullptr);
    (void)policy->settle(std::move(decision.ticket), Outcome::kBadCredential, now);
  }
  size_t i = 0;
  for (auto _ : state) {
    ++i;
    benchmark::DoNotOptimize(policy->reserve(script.facts(i, i), now, nullptr));
  }
}
BENCHMARK(BM_Refused);

// Success as above from several threads at one engine: no lock is shared by all.
void BM_SuccessThreads(benchmark::State& state) {
  static std::unique_ptr<Engine> policy;
  static const Script script(100'000);
  if (state.thread_index() == 0) policy = engine(*preset_rules(kDefaultPreset));
  size_t i = static_cast<size_t>(state.thread_index()) * 1009;
  for (auto _ : state) {
    i += 7919;
    const size_t user = i % script.users.size();
    Decision decision = policy->reserve(script.facts(user, user), kStart, nullptr);
    benchmark::DoNotOptimize(policy->settle(std::move(decision.ticket), Outcome::kSuccess, kStart));
  }
}
BENCHMARK(BM_SuccessThreads)->ThreadRange(1, 4)->UseRealTime();

// A million subjects: users with a failure or two each.
void BM_MillionSubjects(benchmark::State& state) {
  Rule users = (*preset_rules(kDefaultPreset))[0];
  for (auto _ : state) {
    const Script script(500'000);
    const size_t before = resident_bytes();
    const auto policy = engine({users});
    Time now = kStart;
    for (size_t i = 0; i < script.users.size(); ++i) {
      Decision decision = policy->reserve(script.facts(i, i), now, nullptr);
      (void)policy->settle(std::move(decision.ticket), Outcome::kBadCredential, now);
      now += 1ms;
    }
    const Figures figures = policy->figures(now);
    state.counters["subjects"] = static_cast<double>(figures.subjects);
    state.counters["bytes_each"] =
        static_cast<double>(figures.bytes) / static_cast<double>(figures.subjects);
    state.counters["resident_MB"] = static_cast<double>(resident_bytes() - before) / 1e6;
  }
}
BENCHMARK(BM_MillionSubjects)->Iterations(1)->Unit(benchmark::kMillisecond);

// The same with every rule of the preset: counters, passwords, locks mixed as an attack mixes them.
void BM_MillionMixedSubjects(benchmark::State& state) {
  for (auto _ : state) {
    const Script script(1'000'000);
    const size_t before = resident_bytes();
    const auto policy = engine(*preset_rules(kDefaultPreset));
    Time now = kStart;
    for (size_t i = 0; i < script.users.size(); ++i) {
      Decision decision = policy->reserve(script.facts(i, i * 257), now, nullptr);
      (void)policy->settle(std::move(decision.ticket),
                           i % 10 == 0 ? Outcome::kSuccess : Outcome::kBadCredential, now);
      now += 1ms;
    }
    const Figures figures = policy->figures(now);
    state.counters["subjects"] = static_cast<double>(figures.subjects);
    state.counters["bytes_each"] =
        static_cast<double>(figures.bytes) / static_cast<double>(figures.subjects);
    state.counters["resident_MB"] = static_cast<double>(resident_bytes() - before) / 1e6;
  }
}
BENCHMARK(BM_MillionMixedSubjects)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace saslatch::policy

BENCHMARK_MAIN();
