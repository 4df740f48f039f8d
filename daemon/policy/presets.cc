#include "daemon/policy/presets.h"

namespace saslatch::policy {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// The reason and source of each number stands in conf-examples/policy/NAME.conf.

struct Prefixes {
  std::optional<int> ipv4;
  std::optional<int> ipv6;
};

Rule lock(std::string name, Count count, By by, Limit limit, Duration lasts, Duration cap,
          bool spare_familiar, Prefixes prefixes = {}) {
  Rule rule;
  rule.name = std::move(name);
  rule.count = count;
  rule.by = by;
  rule.limit = limit;
  rule.then = Then::kLock;
  rule.lasts = lasts;
  if (cap > lasts) rule.growing = Growth{2, cap};
  rule.spare_familiar = spare_familiar;
  rule.ipv4_prefix = prefixes.ipv4;
  rule.ipv6_prefix = prefixes.ipv6;
  return rule;
}

Rule refuse(std::string name, Count count, By by, Limit limit) {
  Rule rule;
  rule.name = std::move(name);
  rule.count = count;
  rule.by = by;
  rule.limit = limit;
  rule.then = Then::kRefuse;
  return rule;
}

// One host: by `ip`, IPv6 would give each guesser 2^64 of them, so a /64 counts as one.
constexpr Prefixes kHost{32, 64};
// One customer of a provider, or one small provider.
constexpr Prefixes kSite{24, 48};

// What every preset does against those who try many accounts: they differ in what an account bears.
void add_sources(std::vector<Rule>& rules) {
  rules.push_back(lock("guess-address", Count::kFailures, By::kNetwork, {10, hours(1)}, minutes(15),
                       hours(24), true, kHost));
  rules.push_back(lock("guess-network", Count::kFailures, By::kNetwork, {20, hours(1)}, minutes(15),
                       hours(24), true, kSite));
  rules.push_back(lock("unknown-users", Count::kUnknownUsers, By::kNetwork, {6, hours(1)}, hours(1),
                       hours(24), true, kSite));
  rules.push_back(lock("unknown-name", Count::kUnknownUsers, By::kUser, {3, hours(24)}, hours(1),
                       hours(24), true));
  rules.push_back(lock("spray-address", Count::kDistinctUsers, By::kNetwork, {5, hours(1)},
                       hours(1), hours(24), true, kHost));
  rules.push_back(lock("spray-password", Count::kDistinctUsers, By::kPassword, {5, hours(24)},
                       hours(1), hours(24), true));
}

std::vector<Rule> small_site() {
  std::vector<Rule> rules;
  rules.push_back(lock("guess-account", Count::kFailures, By::kUser, {10, hours(24)}, minutes(15),
                       hours(24), true));
  rules.push_back(lock("guess-familiar", Count::kFailures, By::kUserNetwork, {10, hours(1)},
                       minutes(5), hours(1), false));
  add_sources(rules);
  return rules;
}

std::vector<Rule> nist() {
  std::vector<Rule> rules = small_site();
  rules.push_back(refuse("nist-hundred", Count::kFailures, By::kUser, {100, hours(24 * 90)}));
  return rules;
}

std::vector<Rule> asvs() {
  std::vector<Rule> rules = small_site();
  rules.push_back(refuse("asvs-hundred", Count::kFailures, By::kUser, {100, hours(1)}));
  return rules;
}

std::vector<Rule> pci_dss() {
  std::vector<Rule> rules;
  rules.push_back(lock("pci-account", Count::kFailures, By::kUser, {10, hours(24)}, minutes(30),
                       hours(24), false));
  rules.push_back(lock("guess-familiar", Count::kFailures, By::kUserNetwork, {6, hours(1)},
                       minutes(30), minutes(30), false));
  add_sources(rules);
  return rules;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> kPresets = {
      {kDefaultPreset, "up to some thousand accounts: stops guessing, spares owners"},
      {"nist-800-63b", "small-site, and at most 100 consecutive failures an account"},
      {"asvs", "small-site, and at most 100 failures an hour and account"},
      {"pci-dss", "at most 10 failures an account, then 30 minutes' lock"},
      {"none", "no rules"},
  };
  return kPresets;
}

std::optional<std::vector<Rule>> preset_rules(std::string_view name) {
  if (name == "small-site") return small_site();
  if (name == "nist-800-63b") return nist();
  if (name == "asvs") return asvs();
  if (name == "pci-dss") return pci_dss();
  if (name == "none") return std::vector<Rule>{};
  return std::nullopt;
}

}  // namespace saslatch::policy
