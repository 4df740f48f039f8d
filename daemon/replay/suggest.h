#ifndef SASLATCH_DAEMON_REPLAY_SUGGEST_H_
#define SASLATCH_DAEMON_REPLAY_SUGGEST_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/replay/replay.h"
#include "daemon/replay/trial.h"

namespace saslatch::replay {

// The limits that are tried: every number to 20, then those that people write (25, 30 ... 100, 125
// ...), up to policy::kMaxLimitEvents.
const std::vector<uint32_t>& limit_ladder();

// No smaller limit is suggested, unless the base has one: a lock at the first or second failure
// spares the owners of most logs, and hits the first one who mistypes.
constexpr uint32_t kLeastLimit = 3;

// What a rule comes to alone, with one limit.
struct Tried {
  uint32_t limit = 0;
  uint64_t owners_struck = 0;
  uint64_t accounts_struck = 0;
  uint64_t guesses_let = 0;
  uint64_t guesses_struck = 0;
};

enum class Advice {
  kSpares,     // the smallest limit tried that strikes no owner's login
  kUntouched,  // the logs have nothing that it could strike, or no login: the base's limit
  kBlind,      // the logs cannot tell what it counts: the base's limit
  kCostly,     // whatever limit strikes a guess strikes an owner: turned off, with the cheapest one
};
std::string_view to_string(Advice advice);

struct SuggestedRule {
  policy::Rule rule;  // with the suggested limit; not enabled: kCostly
  uint32_t base = 0;  // the base's limit
  Advice advice = Advice::kSpares;
  uint32_t alone =
      0;  // the limit that spared owners alone, before it was loosened for all together
  std::vector<Tried>
      tried;  // by limit: half, the next smaller one, the suggested, double, the base's
  // The owner's login that came nearest: the first that the next smaller limit strikes.
  std::optional<Trial::Strike> nearest;
  uint32_t nearest_at = 0;  // that limit
};

// An account that logged in from kStrangeNetworks or more networks, new to it, within a day:
// stolen, or somebody whose provider gives him another network each time.
struct Strange {
  std::string user;
  uint32_t networks = 0;  // most within a day
  Time from;              // when that day began
  uint64_t logins = 0;    // in all
};
constexpr uint32_t kStrangeNetworks = 10;

// Below these a log is too short to go by: a weekend, or fewer logins than it takes for the slips
// that one in a thousand makes.
constexpr policy::Duration kShortLog = std::chrono::hours(24 * 7);
constexpr uint64_t kFewLogins = 1000;

struct Suggestion {
  Findings base;                     // the base policy on these logs, all accounts
  std::vector<SuggestedRule> rules;  // of the base, in its order, without those it has turned off
  std::vector<Strange> strange;      // most networks first
  Aside aside;                       // what was left out
  uint64_t logins = 0;               // owners', without all of these
  uint64_t aside_logins = 0;         // of accounts that were left out
  uint64_t early_logins = 0;         // of the others, while networks were learnt
  uint64_t guesses = 0;
  Trial base_trial;     // the base policy, all rules
  Trial together;       // the suggested rules: strikes no owner
  size_t loosened = 0;  // how often rules were loosened until it did not
  size_t passes = 0;    // over the logs
  std::vector<std::string> warnings;
  std::string trouble;  // why there are no rules; empty: there are
};

struct SuggestOptions {
  Candidate base;
  std::set<std::string, std::less<>> aside;  // names, normalised: their logins are no owners'
  bool aside_strange = false;                // nor are those of accounts that look stolen
  // Nor those of the beginning: from it the policy only learns which networks are familiar, which a
  // daemon that has run for some time knows.
  policy::Duration learn{};
  // Now and then; may be empty. Pass 0 reads the logs, `done` of `all` bytes; the others try
  // `limits` limits, `done` of `all` attempts. `all` 0: not known.
  std::function<void(size_t pass, size_t limits, uint64_t done, uint64_t all)> on_progress;
};

// Finds for each rule of the base the smallest limit that would have struck (refused or delayed) no
// owner's login in the logs, each alone and then all together, by replaying them. All else of a
// rule stays. At most kMaxPasses passes; the same logs give the same limits.
constexpr size_t kMaxPasses = 200;
Suggestion suggest(FactStream& stream, const SuggestOptions& options, Zone& zone);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_SUGGEST_H_
