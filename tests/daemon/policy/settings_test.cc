#include "daemon/policy/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/policy/presets.h"
#include "tests/daemon/policy/world.h"

namespace saslatch::policy {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A rule that nobody complains about, changed by a case.
struct Case {
  const char* name;
  std::function<void(Settings&, Rule&)> change;
  const char* words;
};

Settings with(const Case& c) {
  Settings settings;
  settings.rules = {
      rule("base", Count::kFailures, By::kUser, 10, 10min, Then::kLock, 1min),
      rule("pairs", Count::kFailures, By::kUserNetwork, 10, 10min, Then::kLock, 1min)};
  Rule changed = settings.rules[0];
  c.change(settings, changed);
  settings.rules[0] = changed;
  return settings;
}

TEST(Settings, DefaultsAndPresetsAreWithoutErrorOrWarning) {
  for (const Preset& preset : presets()) {
    Settings settings;
    settings.rules = *preset_rules(preset.name);
    EXPECT_THAT(errors(settings), IsEmpty()) << preset.name;
    EXPECT_THAT(warnings(settings), IsEmpty()) << preset.name;
  }
  EXPECT_FALSE(preset_rules("big-site"));
  EXPECT_EQ(presets().front().name, kDefaultPreset);
}

TEST(Settings, EachPresetWithRulesHasOneByUserAndNetwork) {
  for (const Preset& preset : presets()) {
    const auto rules = *preset_rules(preset.name);
    const bool has = std::any_of(rules.begin(), rules.end(),
                                 [](const Rule& r) { return r.by == By::kUserNetwork; });
    EXPECT_EQ(has, preset.name != "none") << preset.name;
  }
}

TEST(Settings, ErrorsNameTheKeyAndWhatIsAccepted) {
  const Case kCases[] = {
      {"no events", [](Settings&, Rule& r) { r.limit.events = 0; }, "limit = 0/10m; accepted: 1"},
      {"too many", [](Settings&, Rule& r) { r.limit.events = 2'000'000; },
       "accepted: 1 to 1000000"},
      {"no window", [](Settings&, Rule& r) { r.limit.window = 0ms; }, "limit = 10/0ms"},
      {"a year", [](Settings&, Rule& r) { r.limit.window = 24h * 365; }, "up to 90d"},
      {"no for", [](Settings&, Rule& r) { r.lasts = 0ms; }, "for = 0ms; accepted with then = lock"},
      {"shrinking",
       [](Settings&, Rule& r) {
         r.growing = Growth{0.5, 1h};
       },
       "factors above 1"},
      {"low cap",
       [](Settings&, Rule& r) {
         r.growing = Growth{2, 30s};
       },
       "growing up to 30s"},
      {"prefix", [](Settings&, Rule& r) { r.ipv4_prefix = 33; }, "accepted: 0 to 32"},
      {"prefix", [](Settings&, Rule& r) { r.ipv6_prefix = -1; }, "accepted: 0 to 128"},
      {"reserved", [](Settings&, Rule& r) { r.name = "administrator"; }, "is no name"},
      {"empty", [](Settings&, Rule& r) { r.name = ""; }, "is no name"},
      {"twice", [](Settings&, Rule& r) { r.name = "pairs"; }, "[rule.pairs] is there twice"},
      {"crowded", [](Settings& s, Rule&) { s.max_subjects = 10; }, "accepted: 100 and more"},
      {"65 rules",
       [](Settings& s, Rule& r) {
         for (int i = 0; i < 64; ++i) {
           s.rules.push_back(r);
           s.rules.back().name = "r" + std::to_string(i);
         }
       },
       "66 rules; accepted: up to 64"},
  };
  for (const Case& c : kCases) EXPECT_THAT(errors(with(c)), Contains(HasSubstr(c.words))) << c.name;
}

TEST(Settings, WarningsNameRulesThatAreHardlyMeant) {
  const Case kCases[] = {
      {"one name", [](Settings&, Rule& r) { r.count = Count::kDistinctUsers; },
       "[rule.base] can never trip: one user has one name"},
      {"one password",
       [](Settings&, Rule& r) { r.count = Count::kDistinctPasswords, r.by = By::kPassword; },
       "can never trip: one password is one password"},
      {"everyone", [](Settings&, Rule& r) { r.by = By::kEveryone; },
       "would lock everybody: 10/10m"},
      {"everyone's logins",
       [](Settings&, Rule& r) { r.by = By::kEveryone, r.count = Count::kAttempts; },
       "right ones included"},
      {"one typo", [](Settings&, Rule& r) { r.limit.events = 1; }, "one mistyped password"},
      {"attempts lock", [](Settings&, Rule& r) { r.count = Count::kAttempts; }, "locks owners"},
      {"a provider", [](Settings&, Rule& r) { r.by = By::kNetwork, r.ipv4_prefix = 8; },
       "would lock everybody in /8"},
      {"useless prefix", [](Settings&, Rule& r) { r.ipv4_prefix = 8; }, "nothing uses: by = user"},
      {"useless growing",
       [](Settings&, Rule& r) {
         r.then = Then::kDelay, r.growing = Growth{2, 1h};
       },
       "only then = lock"},
      {"useless for", [](Settings&, Rule& r) { r.then = Then::kRefuse; }, "has `for`"},
      {"long delay", [](Settings&, Rule& r) { r.then = Then::kDelay, r.lasts = 10s; },
       "is cut to max-hold = 4500ms"},
      {"spared pair", [](Settings&, Rule& r) { r.by = By::kUserNetwork, r.spare_familiar = true; },
       "contradicts itself"},
      {"familiar unlimited",
       [](Settings& s, Rule& r) { r.spare_familiar = true, s.rules[1].enabled = false; },
       "none is by user+network"},
      {"never familiar",
       [](Settings& s, Rule& r) { r.spare_familiar = true, s.familiar_for = 0ms; },
       "familiar-for = 0 makes none"},
      {"shadowed",
       [](Settings& s, Rule& r) {
         s.rules.push_back(r);
         s.rules.back().name = "loose";
         s.rules.back().limit = {20, 10min};
         r.lasts = 15min;
       },
       "[rule.loose] can never trip: [rule.base] stops the subject at 10/10m"},
      {"trusted all", [](Settings& s, Rule&) { s.trusted = {*Network::parse("0.0.0.0/0")}; },
       "nothing is counted"},
      {"shared all", [](Settings& s, Rule&) { s.shared = {*Network::parse("::/0")}; },
       "shared holds every address"},
      {"both", [](Settings& s, Rule&) { s.trusted = s.shared; },
       "127.0.0.0/8 is shared and trusted"},
      {"patience", [](Settings& s, Rule&) { s.max_hold = 20s; }, "Postfix after 10s"},
      {"cut", [](Settings& s, Rule&) { s.failure_delay = 6s; }, "failure-delay = 6s is cut"},
  };
  for (const Case& c : kCases) {
    const Settings settings = with(c);
    EXPECT_THAT(errors(settings), IsEmpty()) << c.name;
    EXPECT_THAT(warnings(settings), Contains(HasSubstr(c.words))) << c.name;
  }
}

TEST(Settings, ADisabledRuleIsNobodysConcern) {
  Settings settings;
  settings.rules = {rule("all", Count::kFailures, By::kEveryone, 1, 10min, Then::kLock, 1min)};
  settings.rules[0].enabled = false;
  EXPECT_THAT(warnings(settings), IsEmpty());
}

TEST(Rule, WordsGoBothWays) {
  for (const char* word :
       {"attempts", "failures", "unknown-users", "distinct-users", "distinct-passwords"})
    EXPECT_EQ(to_string(*parse_count(word)), word);
  for (const char* word : {"ip", "network", "user", "user+network", "password", "everyone"})
    EXPECT_EQ(to_string(*parse_by(word)), word);
  for (const char* word : {"lock", "refuse", "delay"})
    EXPECT_EQ(to_string(*parse_then(word)), word);
  for (const char* word : {"fail", "temporary"}) EXPECT_EQ(to_string(*parse_answer(word)), word);
  EXPECT_FALSE(parse_count("Failures"));
  EXPECT_FALSE(parse_by(""));
}

}  // namespace
}  // namespace saslatch::policy
