#include "daemon/replay/words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace saslatch::replay {
namespace {

// "12 of 9,123 logins that succeeded (13.2 of 10,000), of 3 accounts from 2 networks".
std::string owners(const Summary& summary) {
  const Split& split = summary.split;
  if (split.owners == 0) return "No login in these logs succeeded, so they say nothing of owners.";
  if (split.owners_refused == 0)
    return "It would have refused none of the " + grouped(split.owners) + " logins that succeeded.";
  char rate[32];
  std::snprintf(
      rate, sizeof rate, "%.1f",
      static_cast<double>(split.owners_refused) * 1e4 / static_cast<double>(split.owners));
  return "It would have refused " + grouped(split.owners_refused) + " of the " +
         grouped(split.owners) + " logins that succeeded (" + rate + " of 10,000), of " +
         many(summary.accounts_with_owner_refused, "account") + " from " +
         many(summary.networks_with_owner_refused, "network") + ".";
}

std::string guesses(const Summary& summary) {
  const Split& split = summary.split;
  if (split.guesses == 0) return "There are no guesses in these logs.";
  return "Of " + many(split.guesses, "guess") + " at " + many(summary.attacked, "account") +
         " from " + many(summary.attackers, "network") + " it would have let through " +
         grouped(split.guesses_let()) + " (" + percent(split.guesses_let(), split.guesses) + ").";
}

policy::Duration at_share(const std::vector<policy::Duration>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(std::llround(last * share))];
}

std::string first_refusal(const Summary& summary) {
  const auto& until = summary.until_refused;
  if (until.empty()) return "";
  std::string text = "From the first guess at an account to the first one refused: " +
                     shown(at_share(until, 0.5)) + " for half of the " +
                     many(until.size(), "account") + " that came so far";
  if (until.size() >= 10) text += ", " + shown(at_share(until, 0.9)) + " for nine in ten";
  return text + ".";
}

}  // namespace

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string percent(uint64_t part, uint64_t all) {
  if (part == 0 || all == 0) return "0 %";
  const double share = static_cast<double>(part) * 100 / static_cast<double>(all);
  char text[32];
  std::snprintf(text, sizeof text, share < 0.1 ? "%.3f %%" : "%.1f %%", share);
  return text;
}

std::string shown(policy::Duration duration) {
  int64_t seconds = std::chrono::floor<std::chrono::seconds>(duration).count();
  struct Unit {
    int64_t length;
    char letter;
  };
  constexpr Unit kUnits[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
  std::string text;
  int used = 0;
  for (const Unit& unit : kUnits) {
    const int64_t count = seconds / unit.length;
    seconds %= unit.length;
    if (count > 0) text += (text.empty() ? "" : " ") + std::to_string(count) + unit.letter;
    if (!text.empty() && ++used == 2) break;
  }
  return text.empty() ? "0s" : text;
}

std::string shown(Time time) {
  const Civil civil = civil_at(time, 0);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", civil.year, civil.month,
                civil.day, civil.hour, civil.minute, civil.second);
  return text;
}

std::string many(uint64_t number, std::string_view singular) {
  std::string text = grouped(number) + " " + std::string(singular);
  if (number == 1) return text;
  return text + (singular.ends_with('s') ? "es" : "s");
}

std::string shown(const policy::Limit& limit) {
  std::string window = shown(limit.window);
  if (limit.window == std::chrono::hours(24)) window = "24h";
  std::erase(window, ' ');
  return std::to_string(limit.events) + "/" + window;
}

std::string shown(const Caveat& caveat) {
  std::string text;
  for (const std::string& rule : caveat.rules) text += (text.empty() ? "" : ", ") + rule;
  return text + (text.empty() ? "" : ": ") + caveat.text;
}

std::string name_of(const AccountFigures& account) {
  return account.name.empty() ? "(not named)" : account.name;
}

std::string name_of(const NetworkFigures& network) {
  return network.network ? network.network->to_string() : "unknown";
}

std::vector<std::string> in_words(const Findings& findings) {
  const Summary& summary = findings.summary;
  if (summary.attempts == 0)
    return {"There is no attempt to log in in these logs, so nothing was decided."};
  std::vector<std::string> words = {owners(summary), guesses(summary)};
  const auto attacked = std::find_if(summary.accounts.begin(), summary.accounts.end(),
                                     [](const AccountFigures& account) {
                                       return !account.name.empty() && account.split.guesses > 0;
                                     });
  if (attacked != summary.accounts.end())
    words.push_back("The most attacked account, " + attacked->name + ", would have met " +
                    grouped(attacked->split.guesses_let()) + " of " +
                    many(attacked->split.guesses, "guess") + ".");
  if (auto refusal = first_refusal(summary); !refusal.empty()) words.push_back(std::move(refusal));
  uint64_t blind = 0;
  for (const Caveat& caveat : findings.caveats)
    if (caveat.blind) blind += caveat.rules.size();
  if (blind > 0)
    words.push_back(grouped(blind) + " of its " + many(summary.rules.size(), "rule") +
                    " cannot be judged by these logs: live it lets less through.");
  return words;
}

std::vector<std::string> comparison_in_words(const Findings& findings) {
  if (!findings.other_summary) return {};
  const Split& a = findings.summary.split;
  const Split& b = findings.other_summary->split;
  const auto change = [](uint64_t from, uint64_t to, const std::string& what) {
    if (from == to) return "as many " + what;
    return grouped(from < to ? to - from : from - to) + (from < to ? " more " : " fewer ") + what;
  };
  const Difference& d = findings.difference;
  std::vector<std::string> words;
  words.push_back("Instead of " + findings.policy + ", " + findings.other + " would have refused " +
                  change(a.owners_refused, b.owners_refused, "logins that succeeded") + " (" +
                  grouped(b.owners_refused) + "), and let through " +
                  change(a.guesses_let(), b.guesses_let(), "guesses") + " (" +
                  grouped(b.guesses_let()) + ", " + percent(b.guesses_let(), b.guesses) + ").");
  words.push_back("Another verdict for " + many(d.owners[0][1] + d.owners[1][0], "login") +
                  " that succeeded and " + many(d.failed[0][1] + d.failed[1][0], "attempt") +
                  " that failed.");
  return words;
}

}  // namespace saslatch::replay
