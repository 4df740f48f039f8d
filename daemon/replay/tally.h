#ifndef SASLATCH_DAEMON_REPLAY_TALLY_H_
#define SASLATCH_DAEMON_REPLAY_TALLY_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/policy/settings.h"
#include "daemon/policy/table.h"
#include "daemon/replay/judge.h"

namespace saslatch::replay {

// An owner's login is one that succeeded. A failed attempt is an owner's slip where its account has
// logged in from the same network anywhere in the logs, before or after; else it is a guess. (The
// network is what [policy] ipv4-prefix and ipv6-prefix make of the address.) That is the best a log
// can tell: a guesser behind the owner's own webmail counts as a slip, an owner who never got in
// as a guess, and who logged in with a stolen password as an owner.
struct Split {
  uint64_t owners = 0;
  uint64_t owners_refused = 0;
  uint64_t guesses = 0;
  uint64_t guesses_refused = 0;
  uint64_t slips = 0;
  uint64_t slips_refused = 0;
  [[nodiscard]] uint64_t guesses_let() const { return guesses - guesses_refused; }
  Split& operator+=(const Split& other);
};

struct AccountFigures {
  std::string name;  // empty: failures of which the log names no account
  Split split;
  uint32_t networks = 0;  // that guessed
  std::optional<Time> first_guess;
  std::optional<Time> first_refused;  // of a guess
};

struct NetworkFigures {
  std::optional<Network> network;  // absent: attempts without a usable address
  Split split;
  uint32_t accounts = 0;  // that were guessed at
};

struct RuleFigures {
  std::string name;
  std::string does;  // "lock", "refuse", "delay"
  uint64_t trips = 0;
  uint64_t subjects = 0;
  uint64_t refused = 0;
  uint64_t owners_refused = 0;
  uint64_t delayed = 0;
  uint64_t owners_delayed = 0;
};

// A stretch of time.
struct Bucket {
  uint32_t ok = 0;
  uint32_t let = 0;      // failed, and let through
  uint32_t refused = 0;  // all of them
  uint32_t owners_refused = 0;
  std::vector<std::pair<uint16_t, uint32_t>> by_rule;  // refused, by the rule's number

  uint32_t& refused_by(uint16_t rule);
};

struct Cell {
  uint64_t attempts = 0;
  uint64_t failed = 0;
  uint64_t refused = 0;
};

// All that a replay comes to. A value.
struct Summary {
  uint64_t attempts = 0;
  uint64_t unnamed = 0;  // of which the log tells no account
  uint64_t unseen = 0;   // refused by a policy at the time: taken for wrong passwords
  uint64_t delayed = 0;
  std::array<uint64_t, kOrigins> by_origin{};
  std::array<uint64_t, kOrigins> failed_by_origin{};
  uint64_t with_password = 0;  // failures of which a stand-in for the password is known
  Time first, last;            // of the attempts; last is the latest
  Split split;
  std::vector<RuleFigures> rules;        // in the order of the policy; "administrator" never trips
  std::vector<AccountFigures> accounts;  // with guesses, or owners refused; most guesses first
  std::vector<NetworkFigures> networks;  // with guesses, or owners refused; most guesses first
  uint64_t accounts_seen = 0;
  uint64_t attacked = 0;   // accounts with guesses
  uint64_t attackers = 0;  // networks with guesses
  uint64_t accounts_with_owner_refused = 0;
  uint64_t networks_with_owner_refused = 0;
  policy::Duration bucket{};
  std::map<int64_t, Bucket> buckets;            // by start / bucket
  std::array<std::array<Cell, 24>, 7> week{};   // Monday first; local hours
  std::vector<policy::Duration> until_refused;  // of each account with a refused guess, sorted
  bool rounded = false;  // a table was full: what was rare in it is in the sums only
};

// The widths of buckets, from a minute on; each divides the next, so that narrow ones can be
// joined.
policy::Duration next_width(policy::Duration width);
// The buckets joined to the next `width` of these and beyond.
std::map<int64_t, Bucket> joined(const std::map<int64_t, Bucket>& buckets, policy::Duration from,
                                 policy::Duration to);

// Counts verdicts. Bounded by the constants below, whatever the logs hold.
class Tally {
 public:
  // `zone`: for hours of the day; outlives it.
  Tally(const policy::Settings& settings, Zone& zone);

  void add(const Attempt& attempt, std::string_view user, const Judged& judged);
  [[nodiscard]] Summary summary() const;

  // A pair's failures are guesses or slips only when all is read; beyond this many the ones that
  // have not logged in so far and are quiet for longest are taken for guessers.
  static constexpr size_t kMaxPairs = 2'000'000;
  static constexpr size_t kMaxAccounts = 500'000;
  static constexpr size_t kMaxNetworks = 500'000;
  static constexpr size_t kMaxSubjects = 1'000'000;
  static constexpr size_t kMaxBuckets = 4096;
  static constexpr size_t kListed = 1000;  // accounts and networks in a summary

 private:
  struct Pair {  // an account and a network
    explicit Pair(uint64_t pair) : key(pair) {}
    uint64_t key;
    uint32_t account = 0;
    uint32_t network = 0;
    uint32_t ok = 0, ok_refused = 0, bad = 0, bad_refused = 0;
    Time first_bad, first_refused, last;
  };
  struct RuleState {
    RuleFigures figures;
    std::unordered_map<uint64_t, Time> subjects;  // until when each is refused or delayed
  };

  uint32_t account_number(std::string_view user);
  uint32_t network_number(const std::optional<Network>& network);
  RuleState* rule_state(std::string_view name, uint16_t& number);
  void trip(RuleState& rule, std::string_view subject, Time now, Time until);
  void add_to_bucket(const Attempt& attempt, const Judged& judged, uint16_t rule);
  void fold();
  static void settle(const Pair& pair, bool slips, AccountFigures& account,
                     NetworkFigures& network);

  int ipv4_prefix_;
  int ipv6_prefix_;
  Zone& zone_;
  std::vector<RuleState> rules_;
  // Of a name: looked up by what is borrowed.
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  struct Numbered {  // a network, by its hash
    explicit Numbered(uint64_t hash) : key(hash) {}
    uint64_t key;
    uint32_t number = 0;
  };
  std::unordered_map<std::string, uint32_t, NameHash, std::equal_to<>> account_numbers_;
  std::vector<AccountFigures> accounts_;  // what was folded, and names
  policy::Table<Numbered> network_numbers_;
  std::vector<NetworkFigures> networks_;
  std::vector<uint64_t> network_ok_;
  policy::Table<Pair> pairs_;
  Summary summary_;  // what needs no classification
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_TALLY_H_
