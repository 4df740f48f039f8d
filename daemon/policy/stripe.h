#ifndef SASLATCH_DAEMON_POLICY_STRIPE_H_
#define SASLATCH_DAEMON_POLICY_STRIPE_H_

#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/policy/compiled.h"
#include "daemon/policy/engine.h"
#include "daemon/policy/table.h"
#include "daemon/policy/window.h"

namespace saslatch::policy {

// A repeated wrong password counts once a subject and hour (DESIGN 6.3). The hour runs from its
// last appearance, so that a telephone that tries every five minutes counts once and not every
// hour.
constexpr Duration kRepeatFor = std::chrono::hours(1);
// How long after a lock's end the next one still grows (DESIGN 6.4).
constexpr Duration kGrowthMemory = std::chrono::hours(24);

// What is being verified for one (rule, subject): the reservations. Holders of the same token (the
// same password for the same user) share one.
struct Pending {
  struct Token {
    uint64_t id = 0;
    uint32_t holders = 0;
  };

  uint64_t key = 0;
  Token first;  // most subjects have one at a time, which then needs no memory of its own
  std::vector<Token> more;
  std::unique_ptr<std::list<Waiter>> waiters;  // a list: waking them needs no memory

  explicit Pending(uint64_t table_key) : key(table_key) {}
  [[nodiscard]] uint32_t distinct() const {
    return static_cast<uint32_t>((first.holders > 0 ? 1 : 0) + more.size());
  }
  [[nodiscard]] Token* find(uint64_t id) {
    if (first.holders > 0 && first.id == id) return &first;
    const auto it =
        std::find_if(more.begin(), more.end(), [&](const Token& token) { return token.id == id; });
    return it == more.end() ? nullptr : &*it;
  }
  // Throws std::bad_alloc, with nothing taken; never where nothing was held.
  void take(uint64_t id) {
    if (Token* token = find(id)) {
      ++token->holders;
    } else if (first.holders == 0) {
      first = {id, 1};
    } else {
      more.push_back({id, 1});
    }
  }
  void release(uint64_t id) {
    Token* token = find(id);
    if (token == nullptr || --token->holders > 0 || token == &first) return;
    *token = more.back();
    more.pop_back();
  }
};

// A wrong password that a subject has seen.
struct Repeat {
  uint64_t key = 0;
  uint32_t seen = 0;  // seconds since 1970

  explicit Repeat(uint64_t table_key) : key(table_key) {}
};

struct Lock {
  uint64_t key = 0;
  uint64_t rule_id = 0;  // 0: an administrator's
  By by = By::kUser;
  bool shadow = false;  // of observe mode: never real, never stored
  uint32_t level = 1;
  Time until;
  Duration lasts{};
  uint64_t journalled = 0;  // its number in the Journal; 0: none, or of an earlier process
  std::string subject;
  std::string reason;

  explicit Lock(uint64_t table_key) : key(table_key) {}
  // After a step back of the clock a lock lasts at most as long again as it was set for, from the
  // moment that is noticed.
  void bound(Time now) { until = std::min<Time>(until, now + lasts); }
  [[nodiscard]] Time end(Time now) const { return std::min<Time>(until, now + lasts); }
  [[nodiscard]] bool is_live(Time now) const { return end(now) > now; }
  [[nodiscard]] size_t weight() const { return 1 + (subject.size() + reason.size()) / 96; }
};

// The networks from which an account has logged in, newest last.
struct Familiar {
  struct Place {
    std::optional<Network> network;  // absent: the source `unknown`
    Time last;
    Time journalled;      // when it was last written, and
    uint64_t number = 0;  // as what; 0: by an earlier process
  };

  uint64_t key = 0;
  std::vector<Place> places;

  explicit Familiar(uint64_t table_key) : key(table_key) {}
};

// One attempt, for `explain`.
struct Past {
  Time at;
  uint64_t user_key = 0;
  uint64_t account_key = 0;
  std::string user;
  std::optional<IpAddress> rip;
  const char* outcome = "";  // a literal
  std::string rule;
};

// A share of all subjects, by the hash of the subject, under one lock. All rules of a subject, its
// wrong passwords and its locks are in the same stripe; nobody ever holds two stripes' locks.
struct Stripe {
  mutable std::mutex mutex;
  std::shared_ptr<const Compiled> config;
  Table<Window> windows;          // by (subject, rule)
  Table<Pending> pending;         // by (subject, rule)
  Table<Repeat> repeats;          // by (subject, user, password)
  Table<Lock> locks;              // by (subject, rule); also growth's memory of ended ones
  Table<Familiar> familiar;       // by user
  std::vector<uint64_t> changed;  // windows to save
  std::vector<Past> past;         // a ring
  size_t next_past = 0;
  // No lock here ends before it; in microseconds, readable without the mutex.
  static constexpr int64_t kNoEnd = INT64_MAX;
  std::atomic<int64_t> first_end{kNoEnd};
  uint64_t random = 1;    // for sampling; no secret depends on it
  uint64_t attempts = 0;  // that began here, for their serials
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_STRIPE_H_
