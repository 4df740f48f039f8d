#include "daemon/replay/suggest.h"

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "daemon/replay/words.h"

namespace saslatch::replay {
namespace {

// What is kept of one account's networks to tell that it looks stolen.
struct Networks {
  std::unordered_set<uint64_t> known;
  std::deque<Time> fresh;  // when the newest were seen first, within a day
  uint64_t early = 0;
  Strange strange;
};
// Beyond this many an account looks strange already, and further ones say nothing new.
constexpr size_t kMaxNetworksOf = 1000;
constexpr policy::Duration kStrangeWithin = std::chrono::hours(24);

// How often a rule is loosened for the sake of all together before it is turned off, and by how
// many steps of the ladder at a time.
constexpr size_t kMaxLoosened = 6;
constexpr size_t kLoosenBy = 2;

size_t step_of(uint32_t limit) {  // the first of the ladder that is not smaller
  const auto& ladder = limit_ladder();
  const auto at = std::lower_bound(ladder.begin(), ladder.end(), limit);
  return std::min(static_cast<size_t>(at - ladder.begin()), ladder.size() - 1);
}

// What one pass over the attempts tells before any limit is tried.
class Survey {
 public:
  Survey(const Replayable& log, const policy::Settings& settings, Time early) : until_(early) {
    SpoolReader reader(log.spool);
    Attempt attempt;
    while (reader.next(attempt)) {
      if (attempt.result == Result::kOk) {
        ++logins_;
        if (attempt.at < until_) ++early_;
        add(attempt, settings);
      } else if (!log.known.knows(attempt, attempt.user)) {
        ++guesses_;
      }
    }
  }

  [[nodiscard]] uint64_t logins() const { return logins_; }
  [[nodiscard]] uint64_t guesses() const { return guesses_; }
  [[nodiscard]] uint64_t early() const { return early_; }
  // In all, and the early ones among them.
  [[nodiscard]] std::pair<uint64_t, uint64_t> logins_of(const std::string& user) const {
    const auto found = accounts_.find(user);
    if (found == accounts_.end()) return {0, 0};
    return {found->second.strange.logins, found->second.early};
  }
  [[nodiscard]] std::vector<Strange> strange() const {
    std::vector<Strange> all;
    for (const auto& [user, networks] : accounts_)
      if (networks.strange.networks >= kStrangeNetworks) all.push_back(networks.strange);
    std::sort(all.begin(), all.end(), [](const Strange& a, const Strange& b) {
      return a.networks != b.networks ? a.networks > b.networks : a.user < b.user;
    });
    return all;
  }

 private:
  void add(const Attempt& attempt, const policy::Settings& settings) {
    const auto found = accounts_.find(attempt.user);
    if (found == accounts_.end() && accounts_.size() >= Tally::kMaxAccounts) return;
    Networks& networks = found == accounts_.end() ? accounts_[attempt.user] : found->second;
    Strange& strange = networks.strange;
    strange.user = attempt.user;
    ++strange.logins;
    if (attempt.at < until_) ++networks.early;
    if (!attempt.rip || attempt.user.empty() || networks.known.size() >= kMaxNetworksOf) return;
    const int prefix = attempt.rip->is_v4() ? settings.ipv4_prefix : settings.ipv6_prefix;
    const bool fresh = networks.known.insert(hash_of(attempt.rip->masked(prefix).bytes())).second;
    if (!fresh) return;
    auto& times = networks.fresh;
    times.push_back(attempt.at);
    while (attempt.at - times.front() > kStrangeWithin) times.pop_front();
    if (times.size() <= strange.networks) return;
    strange.networks = static_cast<uint32_t>(times.size());
    strange.from = times.front();
  }

  Time until_;
  uint64_t logins_ = 0;
  uint64_t early_ = 0;
  uint64_t guesses_ = 0;
  std::unordered_map<std::string, Networks> accounts_;
};

// One rule's search for its limit.
class Search {
 public:
  Search(policy::Settings settings, const policy::Rule& rule) : settings_(std::move(settings)) {
    settings_.rules = {rule};
    base_ = rule.limit.events;
    lowest_ = std::min(kLeastLimit, base_);
    wanted_ = {lowest_, base_};
  }

  // The limits to be tried next; none: the search is over.
  [[nodiscard]] const std::set<uint32_t>& wanted() const { return wanted_; }
  [[nodiscard]] Trial trial(uint32_t limit) const {
    Trial trial;
    trial.settings = settings_;
    trial.settings.rules[0].limit.events = limit;
    return trial;
  }
  void take(uint32_t limit, Trial trial) { tried_[limit] = std::move(trial); }

  // Once all that was wanted is there: what to try next.
  void go_on() {
    wanted_.clear();
    if (!narrowed()) return;
    const uint32_t chosen = *chosen_;
    // The neighbours that people ask for.
    for (const uint32_t limit : {std::max(chosen / 2, 1u), chosen * 2}) want(limit);
  }

  [[nodiscard]] SuggestedRule result() const {
    SuggestedRule result;
    result.rule = settings_.rules[0];
    result.base = base_;
    result.alone = *chosen_;
    result.rule.limit.events = *chosen_;
    const auto below = below_chosen();
    if (below != tried_.end()) {
      result.nearest = below->second.first;
      result.nearest_at = below->first;
    }
    const Trial& chosen = tried_.at(*chosen_);
    const bool spares = chosen.owners_struck == 0;
    if (spares && chosen.guesses_struck == 0 && below == tried_.end()) {
      // Nothing to be struck, whatever the limit: no reason for another than the base's.
      result.advice = Advice::kUntouched;
      result.rule.limit.events = result.alone = base_;
    } else if (!spares || chosen.guesses_struck == 0) {
      result.advice = Advice::kCostly;
      result.rule.enabled = false;
      result.rule.limit.events = cheapest();
    }
    const uint32_t limit = result.rule.limit.events;
    for (const auto& [number, trial] : tried_) {
      if (number == limit || number == *chosen_ / 2 || number == *chosen_ * 2 || number == base_ ||
          number == result.nearest_at)
        result.tried.push_back({number, trial.owners_struck, trial.accounts_struck,
                                trial.guesses_let, trial.guesses_struck});
    }
    return result;
  }

 private:
  void want(uint32_t limit) {
    if (limit <= policy::kMaxLimitEvents && tried_.find(limit) == tried_.end())
      wanted_.insert(limit);
  }

  // The largest limit tried that strikes an owner and is smaller than the chosen one, but might
  // have been chosen.
  [[nodiscard]] std::map<uint32_t, Trial>::const_iterator below_chosen() const {
    auto found = tried_.end();
    for (auto at = tried_.begin(); at != tried_.end() && at->first < *chosen_; ++at)
      if (at->second.owners_struck > 0 && at->first >= lowest_) found = at;
    return found;
  }

  // Whether the smallest limit that strikes no owner is found: it is lowest_, or the one before it
  // on the ladder strikes one. Else the next one to be tried is wanted.
  bool narrowed() {
    if (tried_.at(lowest_).owners_struck == 0) return chosen_ = lowest_, true;
    // Between the largest that strikes and the next one that does not; if all strike, beyond.
    uint32_t striking = 0;
    for (const auto& [limit, trial] : tried_)
      if (trial.owners_struck > 0) striking = limit;
    const auto above = tried_.upper_bound(striking);
    const auto& ladder = limit_ladder();
    // The first step of the ladder above `striking`.
    const size_t low = static_cast<size_t>(
        std::upper_bound(ladder.begin(), ladder.end(), striking) - ladder.begin());
    if (above == tried_.end()) {
      if (low >= ladder.size()) return chosen_ = striking, true;  // a million events a window
      strides_ *= 2;
      want(ladder[std::min(low - 1 + strides_, ladder.size() - 1)]);
      return false;
    }
    // Steps of the ladder strictly between the two.
    const size_t high = step_of(above->first);
    if (low >= high) return chosen_ = above->first, true;
    want(ladder[low + (high - low) / 2]);
    return false;
  }

  // Of the limits that strike guesses, the one that strikes the fewest owners' logins for each
  // guess; of equals the one that strikes more guesses.
  [[nodiscard]] uint32_t cheapest() const {
    const std::pair<const uint32_t, Trial>* best = nullptr;
    for (const auto& entry : tried_) {
      const Trial& trial = entry.second;
      if (trial.guesses_struck == 0) continue;
      if (best == nullptr || static_cast<double>(trial.owners_struck) *
                                     static_cast<double>(best->second.guesses_struck) <
                                 static_cast<double>(best->second.owners_struck) *
                                     static_cast<double>(trial.guesses_struck))
        best = &entry;
    }
    return best == nullptr ? base_ : best->first;
  }

  policy::Settings settings_;
  uint32_t base_ = 0;
  uint32_t lowest_ = 0;
  size_t strides_ = 2;
  std::map<uint32_t, Trial> tried_;
  std::set<uint32_t> wanted_;
  std::optional<uint32_t> chosen_;
};

class Suggester {
 public:
  Suggester(const SuggestOptions& options, const Replayable& log, Suggestion& suggestion)
      : options_(options), log_(log), suggestion_(suggestion) {}

  void run() {
    Aside& aside = suggestion_.aside;
    aside.accounts = options_.aside;
    if (options_.learn.count() > 0) aside.until = suggestion_.base.summary.first + options_.learn;
    const Survey survey(log_, options_.base.settings, aside.until);
    suggestion_.guesses = survey.guesses();
    suggestion_.strange = survey.strange();
    if (options_.aside_strange)
      for (const Strange& strange : suggestion_.strange) aside.accounts.insert(strange.user);
    suggestion_.early_logins = survey.early();
    for (const std::string& user : aside.accounts) {
      const auto [logins, early] = survey.logins_of(user);
      suggestion_.aside_logins += logins;
      suggestion_.early_logins -= early;
    }
    suggestion_.logins = survey.logins() - suggestion_.aside_logins - suggestion_.early_logins;
    search();
    together();
  }

 private:
  void pass(std::vector<Trial>& trials) {
    const size_t number = ++suggestion_.passes;
    run_trials(log_, suggestion_.aside, trials, [&](uint64_t done, uint64_t all) {
      if (options_.on_progress) options_.on_progress(number, trials.size(), done, all);
    });
  }

  [[nodiscard]] bool is_blind(const std::string& rule) const {
    return std::any_of(suggestion_.base.caveats.begin(), suggestion_.base.caveats.end(),
                       [&](const Caveat& caveat) {
                         return caveat.blind &&
                                std::count(caveat.rules.begin(), caveat.rules.end(), rule) > 0;
                       });
  }

  // Each rule alone.
  void search() {
    std::vector<std::optional<Search>> searches;
    for (const policy::Rule& rule : options_.base.settings.rules) {
      if (!rule.enabled) continue;
      SuggestedRule& suggested = suggestion_.rules.emplace_back();
      suggested.rule = rule;
      suggested.base = suggested.alone = rule.limit.events;
      suggested.advice = is_blind(rule.name) ? Advice::kBlind : Advice::kUntouched;
      const bool judged = suggested.advice != Advice::kBlind && suggestion_.logins > 0;
      searches.push_back(judged ? std::optional<Search>(std::in_place, options_.base.settings, rule)
                                : std::nullopt);
    }
    for (;;) {
      std::vector<Trial> trials;
      std::vector<std::pair<Search*, uint32_t>> whose;
      for (auto& search : searches) {
        if (!search) continue;
        for (const uint32_t limit : search->wanted()) {
          trials.push_back(search->trial(limit));
          whose.emplace_back(&*search, limit);
        }
      }
      if (trials.empty()) break;
      pass(trials);
      for (size_t i = 0; i < trials.size(); ++i)
        whose[i].first->take(whose[i].second, std::move(trials[i]));
      for (auto& search : searches)
        if (search && !search->wanted().empty()) search->go_on();
    }
    for (size_t i = 0; i < searches.size(); ++i)
      if (searches[i]) suggestion_.rules[i] = searches[i]->result();
  }

  // All rules at once: a lock that one sets moves what another one counts. Those that strike an
  // owner are loosened, or at last turned off, until none does.
  void together() {
    std::map<std::string, size_t> loosened;
    std::vector<Trial> trials(2);
    trials[0].settings = options_.base.settings;
    for (;;) {
      Trial& all = trials.back();
      all.settings = options_.base.settings;
      all.settings.rules.clear();
      for (const SuggestedRule& rule : suggestion_.rules) all.settings.rules.push_back(rule.rule);
      pass(trials);
      if (trials.size() == 2) suggestion_.base_trial = std::move(trials[0]);
      if (trials.back().owners_struck == 0) break;
      for (SuggestedRule& rule : suggestion_.rules)
        if (trials.back().by.count(rule.rule.name) > 0) loosen(rule, loosened[rule.rule.name]++);
      trials.assign(1, Trial{});
    }
    suggestion_.together = std::move(trials.back());
  }

  void loosen(SuggestedRule& rule, size_t before) {
    ++suggestion_.loosened;
    const auto& ladder = limit_ladder();
    const size_t step = step_of(rule.rule.limit.events) + kLoosenBy;
    if (before < kMaxLoosened && step < ladder.size() && suggestion_.passes < kMaxPasses / 2) {
      rule.rule.limit.events = ladder[step];
    } else {
      rule.rule.limit.events = rule.alone;
      rule.rule.enabled = false;
      rule.advice = Advice::kCostly;
    }
  }

  const SuggestOptions& options_;
  const Replayable& log_;
  Suggestion& suggestion_;
};

std::vector<std::string> warnings_of(const Suggestion& suggestion) {
  std::vector<std::string> warnings;
  const Summary& summary = suggestion.base.summary;
  const auto span = std::chrono::duration_cast<policy::Duration>(summary.last - summary.first);
  if (span < kShortLog)
    warnings.push_back("the logs span " + shown(span) +
                       " only: give it seven days at least, better a month");
  if (suggestion.logins == 0)
    warnings.push_back(
        "no owner's login in these logs, so no limit can be told to spare owners: the limits are "
        "the base's own");
  else if (suggestion.logins < kFewLogins)
    warnings.push_back("only " + many(suggestion.logins, "login") +
                       " of owners in these logs: a limit that spares them may hit the next ones");
  return warnings;
}

}  // namespace

std::string_view to_string(Advice advice) {
  switch (advice) {
    case Advice::kSpares:
      return "spares-owners";
    case Advice::kUntouched:
      return "untouched";
    case Advice::kBlind:
      return "blind";
    case Advice::kCostly:
      break;
  }
  return "costs-owners";
}

const std::vector<uint32_t>& limit_ladder() {
  static const std::vector<uint32_t> kLadder = [] {
    std::vector<uint32_t> ladder;
    for (uint32_t limit = 1; limit < 20; ++limit) ladder.push_back(limit);
    for (uint32_t ten = 10; ten < policy::kMaxLimitEvents; ten *= 10)
      for (const uint32_t tenths : {20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100, 125, 150, 175})
        if (const uint64_t limit = uint64_t{ten} * tenths / 10; limit <= policy::kMaxLimitEvents)
          ladder.push_back(static_cast<uint32_t>(limit));
    return ladder;
  }();
  return kLadder;
}

Suggestion suggest(FactStream& stream, const SuggestOptions& options, Zone& zone) {
  Suggestion suggestion;
  Replayable log(options.base.settings);
  Options reading;
  reading.policy = options.base;
  reading.keep = &log;
  reading.on_progress = [&](uint64_t done, uint64_t all, bool) {
    if (options.on_progress) options.on_progress(0, 1, done, all);
  };
  suggestion.base = replay(stream, reading, zone);
  suggestion.trouble = log.spool.trouble();
  if (suggestion.base.summary.attempts == 0 || !suggestion.trouble.empty()) return suggestion;
  Suggester(options, log, suggestion).run();
  suggestion.warnings = warnings_of(suggestion);
  return suggestion;
}

}  // namespace saslatch::replay
