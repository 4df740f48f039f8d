#include "daemon/policy/settings.h"

#include <algorithm>

#include "daemon/policy/compiled.h"
#include "daemon/policy/engine.h"

namespace saslatch::policy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// Shorter prefixes hold so many unrelated people that a lock on one is a lock on everybody.
constexpr int kWideIpv4 = 16;
constexpr int kWideIpv6 = 32;
// Postfix gives up after ten seconds, chasquid after five.
constexpr Duration kClientPatience = seconds(5);
constexpr size_t kLongestName = 64;

// As saslatch.conf writes it.
std::string text(Duration duration) {
  const auto count = duration.count();
  const struct {
    int64_t unit;
    const char* letter;
  } kUnits[] = {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1000, "s"}};
  for (const auto& unit : kUnits)
    if (count != 0 && count % unit.unit == 0)
      return std::to_string(count / unit.unit) + unit.letter;
  return std::to_string(count) + "ms";
}

std::string text(const Limit& limit) {
  return std::to_string(limit.events) + "/" + text(limit.window);
}

bool is_by_network(const Rule& rule) {
  return rule.by == By::kNetwork || rule.by == By::kUserNetwork;
}

bool refuses(const Rule& rule) { return rule.then != Then::kDelay; }

void check_prefix(const std::string& what, const std::optional<int>& prefix, int bits,
                  std::vector<std::string>& out) {
  if (prefix && (*prefix < 0 || *prefix > bits))
    out.push_back(what + " = " + std::to_string(*prefix) + " is no prefix length; accepted: 0 to " +
                  std::to_string(bits));
}

void check_rule(const Rule& rule, std::vector<std::string>& out) {
  const std::string me = "[rule." + rule.name + "] ";
  if (rule.name.empty() || rule.name.size() > kLongestName || rule.name == kAdministrator)
    out.push_back(me + "is no name for a rule; accepted: 1 to " + std::to_string(kLongestName) +
                  " characters, and not '" + std::string(kAdministrator) + "'");
  if (rule.limit.events < 1 || rule.limit.events > kMaxLimitEvents ||
      rule.limit.window <= Duration(0) || rule.limit.window > kMaxWindow)
    out.push_back(me + "limit = " + text(rule.limit) + "; accepted: 1 to " +
                  std::to_string(kMaxLimitEvents) + " events in up to " + text(kMaxWindow));
  if (rule.then != Then::kRefuse && (rule.lasts <= Duration(0) || rule.lasts > kMaxLock))
    out.push_back(me + "for = " + text(rule.lasts) + "; accepted with then = " +
                  std::string(to_string(rule.then)) + ": more than 0, up to " + text(kMaxLock));
  if (rule.growing) {
    if (!(rule.growing->factor > 1) || rule.growing->factor > 100)
      out.push_back(me + "growing: accepted are factors above 1, up to 100");
    if (rule.growing->cap < rule.lasts || rule.growing->cap > kMaxLock)
      out.push_back(me + "growing up to " + text(rule.growing->cap) +
                    "; accepted: from `for` = " + text(rule.lasts) + " up to " + text(kMaxLock));
  }
  check_prefix(me + "ipv4-prefix", rule.ipv4_prefix, 32, out);
  check_prefix(me + "ipv6-prefix", rule.ipv6_prefix, 128, out);
}

// A rule that can't trip, whatever happens; empty if it can.
std::string why_never(const Rule& rule) {
  if (rule.limit.events > 1 && rule.by == By::kUser && rule.count == Count::kDistinctUsers)
    return "one user has one name, so `distinct-users` by user never passes 1";
  if (rule.limit.events > 1 && rule.by == By::kUserNetwork && rule.count == Count::kDistinctUsers)
    return "one user has one name, so `distinct-users` by user+network never passes 1";
  if (rule.limit.events > 1 && rule.by == By::kPassword && rule.count == Count::kDistinctPasswords)
    return "one password is one password, so `distinct-passwords` by password never passes 1";
  return {};
}

// `other` stops the subject before `rule` could count to its limit.
bool is_shadowed(const Rule& rule, const Rule& other, const Settings& settings) {
  if (rule.count != other.count || rule.by != other.by || !refuses(other)) return false;
  if (is_by_network(rule) && (rule.ipv4_prefix.value_or(settings.ipv4_prefix) !=
                                  other.ipv4_prefix.value_or(settings.ipv4_prefix) ||
                              rule.ipv6_prefix.value_or(settings.ipv6_prefix) !=
                                  other.ipv6_prefix.value_or(settings.ipv6_prefix)))
    return false;
  if (other.spare_familiar && !rule.spare_familiar) return false;
  if (other.limit.events >= rule.limit.events || other.limit.window < rule.limit.window)
    return false;
  return other.then == Then::kRefuse || other.lasts >= rule.limit.window;
}

void warn_of_rule(const Rule& rule, const Settings& settings, std::vector<std::string>& out) {
  const std::string me = "[rule." + rule.name + "] ";
  if (const std::string why = why_never(rule); !why.empty())
    out.push_back(me + "can never trip: " + why);
  if (rule.by == By::kEveryone && refuses(rule) && rule.count != Count::kAttempts)
    out.push_back(me + "would lock everybody: " + text(rule.limit) +
                  " failures of strangers refuse each user" +
                  (rule.spare_familiar ? " without a familiar network" : ""));
  if (rule.by == By::kEveryone && refuses(rule) && rule.count == Count::kAttempts)
    out.push_back(me + "would lock everybody: " + text(rule.limit) +
                  " logins of the whole site, right ones included, refuse each user");
  if (rule.by != By::kEveryone && rule.count == Count::kAttempts && rule.then == Then::kLock)
    out.push_back(me + "locks owners: `attempts` counts right passwords too; `failures` is meant?");
  if (refuses(rule) && rule.limit.events == 1 && rule.count == Count::kFailures)
    out.push_back(me + "would lock everybody sooner or later: one mistyped password trips it");
  if (is_by_network(rule) && refuses(rule)) {
    const int v4 = rule.ipv4_prefix.value_or(settings.ipv4_prefix);
    const int v6 = rule.ipv6_prefix.value_or(settings.ipv6_prefix);
    if (rule.by == By::kNetwork && (v4 < kWideIpv4 || v6 < kWideIpv6))
      out.push_back(me + "would lock everybody in /" + std::to_string(v4) + " (IPv4) or /" +
                    std::to_string(v6) + " (IPv6): that is whole providers");
  } else if (rule.ipv4_prefix || rule.ipv6_prefix) {
    if (!is_by_network(rule))
      out.push_back(me + "has a prefix that nothing uses: by = " + std::string(to_string(rule.by)));
  }
  if (rule.by == By::kUserNetwork && rule.spare_familiar)
    out.push_back(me + "contradicts itself: a familiar pair's failures count only under " +
                  "user+network rules, and this one spares it");
  if (rule.by == By::kPassword && rule.count == Count::kAttempts && refuses(rule))
    out.push_back(me + "locks owners: everybody who shares a right password counts");
  if (rule.growing && rule.then != Then::kLock)
    out.push_back(me + "has `growing`, which only then = lock uses");
  if (rule.then == Then::kRefuse && rule.lasts > Duration(0))
    out.push_back(me + "has `for`, which then = refuse does not use: it lasts while the events do");
  if (rule.then == Then::kDelay && rule.lasts > settings.max_hold)
    out.push_back(me + "for = " + text(rule.lasts) +
                  " is cut to max-hold = " + text(settings.max_hold));
  for (const Rule& other : settings.rules) {
    if (&other == &rule || !other.enabled || !is_shadowed(rule, other, settings)) continue;
    out.push_back(me + "can never trip: [rule." + other.name + "] stops the subject at " +
                  text(other.limit) + " until the events have left " + text(rule.limit));
    break;
  }
}

void warn_of_sources(const Settings& settings, std::vector<std::string>& out) {
  const auto is_all = [](const Network& network) { return network.prefix() == 0; };
  if (std::any_of(settings.trusted.begin(), settings.trusted.end(), is_all))
    out.push_back("[policy] trusted holds every address: nothing is counted or refused");
  if (std::any_of(settings.shared.begin(), settings.shared.end(), is_all))
    out.push_back("[policy] shared holds every address: rules by ip and network count nothing");
  for (const Network& network : settings.shared)
    if (is_in(settings.trusted, network.address()))
      out.push_back("[policy] " + network.to_string() +
                    " is shared and trusted: trusted wins, so guesses through it are not counted");
}

}  // namespace

std::vector<std::string> errors(const Settings& settings) {
  std::vector<std::string> out;
  const auto enabled = std::count_if(settings.rules.begin(), settings.rules.end(),
                                     [](const Rule& rule) { return rule.enabled; });
  if (static_cast<size_t>(enabled) > kMaxRules)
    out.push_back("there are " + std::to_string(enabled) + " rules; accepted: up to " +
                  std::to_string(kMaxRules));
  for (size_t i = 0; i < settings.rules.size(); ++i) {
    check_rule(settings.rules[i], out);
    for (size_t j = 0; j < i; ++j)
      if (settings.rules[j].name == settings.rules[i].name)
        out.push_back("[rule." + settings.rules[i].name + "] is there twice");
  }
  check_prefix("[policy] ipv4-prefix", settings.ipv4_prefix, 32, out);
  check_prefix("[policy] ipv6-prefix", settings.ipv6_prefix, 128, out);
  if (settings.max_subjects < 100)
    out.push_back("[daemon] max-subjects = " + std::to_string(settings.max_subjects) +
                  "; accepted: 100 and more");
  if (settings.familiar_for < Duration(0) || settings.failure_delay < Duration(0) ||
      settings.max_hold < Duration(0))
    out.push_back("[policy] familiar-for, failure-delay and max-hold are not negative");
  return out;
}

std::vector<std::string> warnings(const Settings& settings) {
  std::vector<std::string> out;
  bool spares = false;
  bool has_pairs = false;
  for (const Rule& rule : settings.rules) {
    if (!rule.enabled) continue;
    warn_of_rule(rule, settings, out);
    spares |= rule.spare_familiar;
    has_pairs |= rule.by == By::kUserNetwork && refuses(rule) && !rule.spare_familiar;
  }
  if (spares && !has_pairs)
    out.push_back(
        "rules spare familiar networks and none is by user+network: guesses from an account's own "
        "networks are not limited");
  if (spares && settings.familiar_for == Duration(0))
    out.push_back("rules spare familiar networks, and familiar-for = 0 makes none");
  if (settings.failure_delay > settings.max_hold)
    out.push_back("[policy] failure-delay = " + text(settings.failure_delay) +
                  " is cut to max-hold = " + text(settings.max_hold));
  if (settings.max_hold >= kClientPatience)
    out.push_back("[policy] max-hold = " + text(settings.max_hold) +
                  ": chasquid hangs up after 5s, Postfix after 10s");
  warn_of_sources(settings, out);
  return out;
}

}  // namespace saslatch::policy
