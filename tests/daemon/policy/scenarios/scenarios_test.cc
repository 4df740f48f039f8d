#include "tests/daemon/policy/scenarios/scenarios.h"

#include <gtest/gtest.h>

namespace saslatch::policy {
namespace {

TEST(Scenarios, SmallSiteKeepsItsPromises) {
  for (const Scenario& scenario : scenarios()) {
    const Result result = run(scenario, *preset_rules(kDefaultPreset));
    EXPECT_LE(result.let_through, scenario.let_through_at_most) << scenario.name;
    EXPECT_LE(result.owners_refused, scenario.owners_refused_at_most) << scenario.name;
  }
}

TEST(Scenarios, WithoutRulesEveryGuessIsVerifiedAndNobodyIsRefused) {
  for (const Scenario& scenario : scenarios()) {
    const Result result = run(scenario, {});
    EXPECT_EQ(result.let_through, result.guesses) << scenario.name;
    EXPECT_EQ(result.owners_refused, 0u) << scenario.name;
  }
}

// A hundred in any hour or between successes, whatever the other rules do.
TEST(Scenarios, StandardsPresetsBoundWhatAnAccountBears) {
  for (const char* preset : {"nist-800-63b", "asvs", "pci-dss"}) {
    World world(*preset_rules(preset));
    world.account("alice", "right");
    const size_t bound = std::string(preset) == "pci-dss" ? 10 : 100;
    size_t verified = 0;
    for (uint32_t i = 0; i < 1700; ++i) {
      const Login guess{"alice", std::to_string(i), address("10.0.0.1", i * 65536)};
      verified += world.login(guess).wrong() ? 1 : 0;
      world.now += 1s;  // 28 minutes in all
    }
    EXPECT_LE(verified, bound) << preset;
  }
}

}  // namespace
}  // namespace saslatch::policy
