// Prints the table of docs/POLICY.md: each scenario against each preset.
#include <cstdio>

#include "tests/daemon/policy/scenarios/scenarios.h"

int main() {
  using namespace saslatch::policy;  // NOLINT: a program of one function
  std::printf("| scenario | guesses |");
  for (const Preset& preset : presets())
    std::printf(" %.*s |", static_cast<int>(preset.name.size()), preset.name.data());
  std::printf("\n| --- | --- |");
  for (size_t i = 0; i < presets().size(); ++i) std::printf(" --- |");
  std::printf("\n");
  for (const Scenario& scenario : scenarios()) {
    const Result none = run(scenario, {});
    std::printf("| %s | %zu |", scenario.name.c_str(), none.guesses);
    for (const Preset& preset : presets()) {
      const Result result = run(scenario, *preset_rules(preset.name));
      if (none.guesses > 0) std::printf(" %zu through", result.let_through);
      if (none.guesses > 0 && none.owners > 0) std::printf(",");
      if (none.owners > 0)
        std::printf(" %zu/%zu owners refused", result.owners_refused, result.owners);
      std::printf(" |");
    }
    std::printf("\n");
  }
}
