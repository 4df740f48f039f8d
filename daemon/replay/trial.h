#ifndef SASLATCH_DAEMON_REPLAY_TRIAL_H_
#define SASLATCH_DAEMON_REPLAY_TRIAL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "daemon/policy/settings.h"
#include "daemon/replay/spool.h"

namespace saslatch::replay {

// The pairs of account and network that logged in: whose failures are slips (Tally says why).
class KnownPairs {
 public:
  explicit KnownPairs(const policy::Settings& settings)
      : ipv4_prefix_(settings.ipv4_prefix), ipv6_prefix_(settings.ipv6_prefix) {}
  void add(const Attempt& attempt, std::string_view user);
  [[nodiscard]] bool knows(const Attempt& attempt, std::string_view user) const;

 private:
  [[nodiscard]] uint64_t network_key(const Attempt& attempt) const;
  int ipv4_prefix_;
  int ipv6_prefix_;
  std::unordered_set<uint64_t> keys_;
};

// All attempts of the logs, to be replayed again and again.
struct Replayable {
  explicit Replayable(const policy::Settings& settings) : known(settings) {}
  void add(const Attempt& attempt, std::string_view user) {
    spool.add(attempt, user);
    known.add(attempt, user);
  }
  Spool spool;
  KnownPairs known;
};

// Logins that are no owners'.
struct Aside {
  std::set<std::string, std::less<>> accounts;  // normalised
  Time until = Time::min();                     // and whatever comes before this
};

// One policy to be tried on them, and what came of it. "Struck" is refused or delayed.
struct Trial {
  policy::Settings settings;  // without errors()

  struct Strike {
    Time at;
    std::string user;  // empty: not named
    std::optional<IpAddress> rip;
    std::string rule;
  };
  uint64_t owners_refused = 0;
  uint64_t owners_struck = 0;    // their logins
  uint64_t accounts_struck = 0;  // whose they were
  std::optional<Strike> first;   // the first owner's login that was struck
  std::set<std::string> by;      // the rules that struck them
  uint64_t aside_struck = 0;     // logins of accounts that were left out
  uint64_t early_struck = 0;     // of the others, those before Aside::until
  uint64_t guesses_let = 0;      // neither slips, nor refused
  uint64_t guesses_struck = 0;
};

// Replays the attempts once for each of `trials`, as many at a time as there are processors (at
// most kMaxAtOnce, since each needs the memory of a policy engine). `progress` is told, on the
// calling thread, how many attempts of all are done; it may be empty. The same trials give the same
// results.
constexpr size_t kMaxAtOnce = 4;
void run_trials(const Replayable& log, const Aside& aside, std::vector<Trial>& trials,
                const std::function<void(uint64_t done, uint64_t all)>& progress);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_TRIAL_H_
