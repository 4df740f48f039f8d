#ifndef SASLATCH_DAEMON_POLICY_PRESETS_H_
#define SASLATCH_DAEMON_POLICY_PRESETS_H_

#include <optional>
#include <string_view>
#include <vector>

#include "daemon/policy/rule.h"

namespace saslatch::policy {

struct Preset {
  std::string_view name;     // as [policy] preset takes it
  std::string_view purpose;  // one line for `saslatch policy list`
};

constexpr std::string_view kDefaultPreset = "small-site";

// Every preset, the default first; `none` has no rules.
const std::vector<Preset>& presets();

// The rules of a preset, each number's reason in conf-examples/policy/NAME.conf, which holds the
// same rules. nullopt for a name that presets() does not have.
std::optional<std::vector<Rule>> preset_rules(std::string_view name);

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_PRESETS_H_
