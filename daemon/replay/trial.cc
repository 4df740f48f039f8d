#include "daemon/replay/trial.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "daemon/replay/judge.h"
#include "daemon/replay/tally.h"

namespace saslatch::replay {
namespace {

// How often a thread tells how far it is, and looks whether it is to stop.
constexpr uint64_t kTellEvery = 4096;

void add(const Attempt& attempt, Judged judged, const Replayable& log, const Aside& aside,
         std::unordered_set<uint64_t>& accounts, Trial& trial) {
  const bool refused = judged.decision == Decision::kRefuse;
  const bool struck = judged.decision != Decision::kAllow;
  if (attempt.result != Result::kOk) {
    if (log.known.knows(attempt, attempt.user)) return;
    trial.guesses_let += refused ? 0 : 1;
    trial.guesses_struck += struck ? 1 : 0;
    return;
  }
  if (!struck) return;
  if (aside.accounts.find(attempt.user) != aside.accounts.end()) {
    ++trial.aside_struck;
    return;
  }
  if (attempt.at < aside.until) {
    ++trial.early_struck;
    return;
  }
  ++trial.owners_struck;
  trial.owners_refused += refused ? 1 : 0;
  if (accounts.size() < Tally::kMaxAccounts) accounts.insert(hash_of(attempt.user));
  if (!trial.first) trial.first = Trial::Strike{attempt.at, attempt.user, attempt.rip, judged.rule};
  trial.by.insert(std::move(judged.rule));
}

// What several threads work on.
struct Work {
  explicit Work(std::vector<Trial>& all) : trials(all) {}
  std::vector<Trial>& trials;
  std::atomic<size_t> next{0};
  std::atomic<uint64_t> done{0};  // attempts
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable changed;
  size_t busy = 0;  // threads
  std::exception_ptr trouble;
};

void run(Trial& trial, const Replayable& log, const Aside& aside, Work& work) {
  Judge judge(trial.settings);
  SpoolReader reader(log.spool);
  std::unordered_set<uint64_t> accounts;
  Attempt attempt;
  uint64_t number = 0;
  while (reader.next(attempt)) {
    add(attempt, judge.judge(attempt, attempt.user), log, aside, accounts, trial);
    if (++number % kTellEvery != 0) continue;
    work.done += kTellEvery;
    if (work.stop) return;
  }
  work.done += number % kTellEvery;
  trial.accounts_struck = accounts.size();
}

void work_on(const Replayable& log, const Aside& aside, Work& work) {
  std::exception_ptr trouble;
  try {
    for (size_t i = work.next++; i < work.trials.size() && !work.stop; i = work.next++)
      run(work.trials[i], log, aside, work);
  } catch (...) {  // out of memory: the others stop too
    trouble = std::current_exception();
    work.stop = true;
  }
  const std::lock_guard lock(work.mutex);
  if (trouble) work.trouble = trouble;
  --work.busy;
  work.changed.notify_all();
}

}  // namespace

uint64_t KnownPairs::network_key(const Attempt& attempt) const {
  if (!attempt.rip) return 1;
  return hash_of(attempt.rip->masked(attempt.rip->is_v4() ? ipv4_prefix_ : ipv6_prefix_).bytes());
}

void KnownPairs::add(const Attempt& attempt, std::string_view user) {
  if (attempt.result != Result::kOk || keys_.size() >= 2 * Tally::kMaxPairs) return;
  const uint64_t network = network_key(attempt);
  keys_.insert(network);
  if (attempt.names_user) keys_.insert(hash_of(user, network));
}

bool KnownPairs::knows(const Attempt& attempt, std::string_view user) const {
  const uint64_t network = network_key(attempt);
  // Where no name is known, a network from which anybody logs in is not a guesser's.
  return keys_.count(attempt.names_user ? hash_of(user, network) : network) > 0;
}

void run_trials(const Replayable& log, const Aside& aside, std::vector<Trial>& trials,
                const std::function<void(uint64_t, uint64_t)>& progress) {
  const size_t at_once = std::min(
      {trials.size(), kMaxAtOnce, std::max<size_t>(std::thread::hardware_concurrency(), 1)});
  const uint64_t all = log.spool.size() * trials.size();
  Work work(trials);
  work.busy = at_once;
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < at_once; ++i) threads.emplace_back([&] { work_on(log, aside, work); });
  {
    std::unique_lock lock(work.mutex);
    while (!work.changed.wait_for(lock, std::chrono::milliseconds(200),
                                  [&] { return work.busy == 0; })) {
      lock.unlock();
      if (progress) progress(work.done, all);
      lock.lock();
    }
  }
  threads.clear();
  if (work.trouble) std::rethrow_exception(work.trouble);
}

}  // namespace saslatch::replay
