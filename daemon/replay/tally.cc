#include "daemon/replay/tally.h"

#include <algorithm>
#include <utility>

namespace saslatch::replay {
namespace {

// Each number another one, with all bits alike: what policy::Table wants of a key (the last steps
// of SplitMix64).
constexpr uint64_t spread(uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

constexpr uint16_t kNoRule = UINT16_MAX;
// Where the first of the tables puts what it has no room for: an account, or network, of its own.
constexpr uint32_t kOthers = 0;

void keep_earlier(std::optional<Time>& kept, Time time) {
  if (!kept || time < *kept) kept = time;
}

const std::string& label_of(const AccountFigures& account) { return account.name; }
const std::optional<Network>& label_of(const NetworkFigures& network) { return network.network; }

}  // namespace

Split& Split::operator+=(const Split& other) {
  owners += other.owners;
  owners_refused += other.owners_refused;
  guesses += other.guesses;
  guesses_refused += other.guesses_refused;
  slips += other.slips;
  slips_refused += other.slips_refused;
  return *this;
}

policy::Duration next_width(policy::Duration width) {
  using namespace std::chrono_literals;  // NOLINT: the ladder
  for (const policy::Duration next :
       {policy::Duration(5min), policy::Duration(15min), policy::Duration(30min),
        policy::Duration(1h), policy::Duration(3h), policy::Duration(6h), policy::Duration(12h),
        policy::Duration(24h)})
    if (next > width) return next;
  return width * 2;
}

std::map<int64_t, Bucket> joined(const std::map<int64_t, Bucket>& buckets, policy::Duration from,
                                 policy::Duration to) {
  const int64_t many = to / from;
  std::map<int64_t, Bucket> wider;
  for (const auto& [number, narrow] : buckets) {
    Bucket& all = wider[number >= 0 ? number / many : (number - many + 1) / many];
    all.ok += narrow.ok;
    all.let += narrow.let;
    all.refused += narrow.refused;
    all.owners_refused += narrow.owners_refused;
    for (const auto& [rule, refused] : narrow.by_rule) all.refused_by(rule) += refused;
  }
  return wider;
}

uint32_t& Bucket::refused_by(uint16_t rule) {
  for (auto& [number, many] : by_rule)
    if (number == rule) return many;
  return by_rule.emplace_back(rule, 0).second;
}

Tally::Tally(const policy::Settings& settings, Zone& zone)
    : ipv4_prefix_(settings.ipv4_prefix),
      ipv6_prefix_(settings.ipv6_prefix),
      zone_(zone),
      accounts_(1),
      networks_(1),
      network_ok_(1) {
  for (const policy::Rule& rule : settings.rules) {
    if (!rule.enabled) continue;
    RuleState state;
    state.figures.name = rule.name;
    state.figures.does = policy::to_string(rule.then);
    rules_.push_back(std::move(state));
  }
  summary_.bucket = std::chrono::minutes(1);
}

uint32_t Tally::account_number(std::string_view user) {
  const auto found = account_numbers_.find(user);
  if (found != account_numbers_.end()) return found->second;
  if (accounts_.size() >= kMaxAccounts) {
    summary_.rounded = true;
    return kOthers;
  }
  const auto number = static_cast<uint32_t>(accounts_.size());
  account_numbers_.emplace(user, number);
  accounts_.emplace_back().name = user;
  return number;
}

uint32_t Tally::network_number(const std::optional<Network>& network) {
  constexpr uint64_t kNone = 0;
  const uint64_t key =
      network
          ? spread(hash_of(network->address().bytes(), static_cast<uint64_t>(network->prefix())))
          : kNone;
  if (const Numbered* found = network_numbers_.find(key)) return found->number;
  if (networks_.size() >= kMaxNetworks) {
    summary_.rounded = true;
    return kOthers;
  }
  const auto number = static_cast<uint32_t>(networks_.size());
  network_numbers_.insert(key).first->number = number;
  networks_.emplace_back().network = network;
  network_ok_.push_back(0);
  return number;
}

Tally::RuleState* Tally::rule_state(std::string_view name, uint16_t& number) {
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].figures.name != name) continue;
    number = static_cast<uint16_t>(i);
    return &rules_[i];
  }
  return nullptr;
}

// A rule trips when it begins to hold a subject.
void Tally::trip(RuleState& rule, std::string_view subject, Time now, Time until) {
  const uint64_t key = hash_of(subject);
  const auto found = rule.subjects.find(key);
  if (found != rule.subjects.end()) {
    if (now >= found->second) ++rule.figures.trips;
    found->second = std::max(found->second, until);
    return;
  }
  ++rule.figures.trips;
  ++rule.figures.subjects;
  if (rule.subjects.size() >= kMaxSubjects) {  // and is counted again when it is back
    rule.subjects.clear();
    summary_.rounded = true;
  }
  rule.subjects.emplace(key, until);
}

void Tally::add_to_bucket(const Attempt& attempt, const Judged& judged, uint16_t rule) {
  auto& buckets = summary_.buckets;
  const auto width = std::chrono::duration_cast<Time::duration>(summary_.bucket).count();
  const int64_t since = attempt.at.time_since_epoch().count();
  Bucket& bucket = buckets[since >= 0 ? since / width : (since - width + 1) / width];
  const bool refused = judged.decision == Decision::kRefuse;
  if (refused) {
    ++bucket.refused;
    if (attempt.result == Result::kOk) ++bucket.owners_refused;
    ++bucket.refused_by(rule);
  } else {
    ++(attempt.result == Result::kOk ? bucket.ok : bucket.let);
  }
  if (buckets.size() <= kMaxBuckets) return;
  const policy::Duration wider = next_width(summary_.bucket);
  buckets = joined(buckets, summary_.bucket, wider);
  summary_.bucket = wider;
}

void Tally::add(const Attempt& attempt, std::string_view user, const Judged& judged) {
  const bool ok = attempt.result == Result::kOk;
  const bool refused = judged.decision == Decision::kRefuse;
  const bool delayed = judged.decision == Decision::kDelay;
  Summary& sum = summary_;
  if (sum.attempts++ == 0) sum.first = sum.last = attempt.at;
  sum.first = std::min(sum.first, attempt.at);
  sum.last = std::max(sum.last, attempt.at);
  ++sum.by_origin[static_cast<size_t>(attempt.origin)];
  if (!ok) ++sum.failed_by_origin[static_cast<size_t>(attempt.origin)];
  if (!ok && attempt.password) ++sum.with_password;
  if (!attempt.names_user) ++sum.unnamed;
  if (attempt.result == Result::kRefused) ++sum.unseen;
  if (delayed) ++sum.delayed;

  uint16_t number = kNoRule;
  if (refused || delayed) {
    if (RuleState* rule = rule_state(judged.rule, number)) {
      RuleFigures& figures = rule->figures;
      ++(refused ? figures.refused : figures.delayed);
      if (ok) ++(refused ? figures.owners_refused : figures.owners_delayed);
      // A lock has tripped already, when it was set.
      if (figures.does != "lock") trip(*rule, judged.subject, attempt.at, judged.until);
    }
  }
  for (const policy::NewLock& lock : judged.locks) {
    uint16_t of = kNoRule;
    if (RuleState* rule = rule_state(lock.rule, of))
      trip(*rule, lock.subject, attempt.at, lock.until);
  }
  add_to_bucket(attempt, judged, number);

  const Civil local = civil_at(attempt.at, zone_.offset_at(attempt.at));
  const auto day = std::chrono::sys_days(std::chrono::year(local.year) / local.month / local.day);
  const unsigned weekday = std::chrono::weekday(day).iso_encoding() - 1;
  Cell& cell = sum.week[weekday][static_cast<size_t>(local.hour)];
  ++cell.attempts;
  if (!ok) ++cell.failed;
  if (refused) ++cell.refused;

  std::optional<Network> network;
  if (attempt.rip)
    network.emplace(*attempt.rip, attempt.rip->is_v4() ? ipv4_prefix_ : ipv6_prefix_);
  const uint32_t from = network_number(network);
  const uint32_t account = account_number(user);
  if (ok) ++network_ok_[from];
  if (pairs_.size() >= kMaxPairs) fold();
  Pair& pair = *pairs_.insert(spread(static_cast<uint64_t>(account) << 32 | from)).first;
  pair.account = account;
  pair.network = from;
  pair.last = attempt.at;
  if (ok) {
    ++pair.ok;
    if (refused) ++pair.ok_refused;
    return;
  }
  if (pair.bad++ == 0) pair.first_bad = attempt.at;
  if (refused && pair.bad_refused++ == 0) pair.first_refused = attempt.at;
}

// Puts a pair's figures into its account's and its network's.
void Tally::settle(const Pair& pair, bool slips, AccountFigures& account, NetworkFigures& network) {
  Split split;
  split.owners = pair.ok;
  split.owners_refused = pair.ok_refused;
  (slips ? split.slips : split.guesses) = pair.bad;
  (slips ? split.slips_refused : split.guesses_refused) = pair.bad_refused;
  account.split += split;
  network.split += split;
  if (slips || pair.bad == 0) return;
  ++account.networks;
  ++network.accounts;
  keep_earlier(account.first_guess, pair.first_bad);
  if (pair.bad_refused > 0) keep_earlier(account.first_refused, pair.first_refused);
}

// Makes room: half of the pairs that have only failed so far, the quietest, are guessers.
void Tally::fold() {
  std::vector<Time> quiet;
  for (size_t i = 0; i < pairs_.size(); ++i)
    if (pairs_.at(i).ok == 0) quiet.push_back(pairs_.at(i).last);
  if (quiet.size() < kMaxPairs / 16) {  // pairs that logged in: beyond any site this is for
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const Pair& pair = pairs_.at(i);
      settle(pair, pair.ok > 0, accounts_[pair.account], networks_[pair.network]);
    }
    pairs_ = {};
    summary_.rounded = true;
    return;
  }
  const auto middle = quiet.begin() + static_cast<std::ptrdiff_t>(quiet.size() / 2);
  std::nth_element(quiet.begin(), middle, quiet.end());
  const Time limit = *middle;
  for (size_t i = 0; i < pairs_.size();) {
    const Pair pair = pairs_.at(i);
    if (pair.ok > 0 || pair.last > limit) {
      ++i;
      continue;
    }
    settle(pair, false, accounts_[pair.account], networks_[pair.network]);
    pairs_.erase(pair.key);  // the last one is here now
  }
}

Summary Tally::summary() const {
  Summary summary = summary_;
  std::vector<AccountFigures> accounts = accounts_;
  std::vector<NetworkFigures> networks = networks_;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    const Pair& pair = pairs_.at(i);
    // Where no name is known, a network from which anybody logs in is not a guesser's.
    const bool named = !accounts[pair.account].name.empty();
    const bool slips = named ? pair.ok > 0 : network_ok_[pair.network] > 0;
    settle(pair, slips, accounts[pair.account], networks[pair.network]);
  }
  summary.accounts_seen = account_numbers_.size() - account_numbers_.count("");
  for (const AccountFigures& account : accounts) {
    summary.split += account.split;
    if (account.split.guesses > 0) ++summary.attacked;
    if (account.split.owners_refused > 0) ++summary.accounts_with_owner_refused;
    if (account.first_refused && !account.name.empty())
      summary.until_refused.push_back(std::chrono::duration_cast<policy::Duration>(
          *account.first_refused - *account.first_guess));
  }
  std::sort(summary.until_refused.begin(), summary.until_refused.end());
  for (const NetworkFigures& network : networks) {
    if (network.split.guesses > 0) ++summary.attackers;
    if (network.split.owners_refused > 0) ++summary.networks_with_owner_refused;
  }
  // Equals in a fixed order, so that the same logs give the same tables.
  const auto more_guesses = [](const auto& a, const auto& b) {
    if (a.split.guesses != b.split.guesses) return a.split.guesses > b.split.guesses;
    return label_of(a) < label_of(b);
  };
  // Whoever was refused as an owner comes along, however few guesses there were.
  const auto listed = [&](auto& all, auto& kept) {
    std::erase_if(all, [](const auto& entry) {
      return entry.split.guesses == 0 && entry.split.owners_refused == 0;
    });
    std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
      if (a.split.owners_refused != b.split.owners_refused)
        return a.split.owners_refused > b.split.owners_refused;
      return more_guesses(a, b);
    });
    const size_t owners = static_cast<size_t>(std::count_if(
        all.begin(), all.end(), [](const auto& entry) { return entry.split.owners_refused > 0; }));
    const auto end_of_owners =
        all.begin() + static_cast<std::ptrdiff_t>(std::min(owners, kListed / 2));
    std::sort(end_of_owners, all.end(), more_guesses);
    if (all.size() > kListed) all.resize(kListed);
    std::sort(all.begin(), all.end(), more_guesses);
    kept = std::move(all);
  };
  listed(accounts, summary.accounts);
  listed(networks, summary.networks);
  for (const RuleState& rule : rules_) summary.rules.push_back(rule.figures);
  return summary;
}

}  // namespace saslatch::replay
