#include "daemon/cli/policy_command.h"

#include <algorithm>

#include "daemon/cli/arguments.h"
#include "daemon/config/keys.h"
#include "daemon/policy/presets.h"

namespace saslatch::cli {
namespace {

// The rule's keys as saslatch.conf has them; those that say nothing are left out.
std::vector<std::pair<std::string, std::string>> keys_of(const policy::Rule& rule) {
  std::vector<std::pair<std::string, std::string>> keys;
  for (const auto& key : config::rule_keys()) {
    std::string value = key.get(rule);
    if (value.empty() || (!key.required && value == key.default_value)) continue;
    keys.emplace_back(key.name, std::move(value));
  }
  return keys;
}

std::string as_file(std::string_view name, std::string_view purpose,
                    const std::vector<policy::Rule>& rules) {
  std::string text = "# " + std::string(name) + ": " + std::string(purpose) + "\n";
  for (const policy::Rule& rule : rules) text += "\n" + section_of(rule);
  return text;
}

}  // namespace

std::string section_of(const policy::Rule& rule) {
  std::string text = "[rule." + rule.name + "]\n";
  const auto keys = keys_of(rule);
  size_t width = 0;
  for (const auto& [key, value] : keys) width = std::max(width, key.size());
  for (const auto& [key, value] : keys)
    text.append(key).append(width - key.size(), ' ').append(" = ").append(value).append("\n");
  return text;
}

ExitCode policy_list(const Invocation&, Console& console) {
  Json documents = Json::array();
  Table table({"PRESET", "PURPOSE"});
  for (const policy::Preset& preset : policy::presets()) {
    const bool is_default = preset.name == policy::kDefaultPreset;
    documents.push_back(
        {{"name", preset.name}, {"purpose", preset.purpose}, {"default", is_default}});
    table.add({{std::string(preset.name) + (is_default ? " (default)" : "")},
               {std::string(preset.purpose)}});
  }
  if (console.style().json) {
    console.print(documents);
  } else {
    console.print(table);
  }
  return ExitCode::kOk;
}

ExitCode policy_show(const Invocation& invocation, Console& console) {
  const std::string& name = invocation.arguments[0];
  const auto rules = policy::preset_rules(name);
  if (!rules) {
    std::vector<std::string_view> known;
    std::string message = "there is no preset '" + name + "'; there is ";
    for (const policy::Preset& preset : policy::presets()) {
      message += (known.empty() ? "" : ", ") + std::string(preset.name);
      known.push_back(preset.name);
    }
    const std::string_view near = nearest(name, known);
    if (!near.empty()) message += "; did you mean '" + std::string(near) + "'?";
    return console.fail(ExitCode::kBadData, message);
  }
  if (console.style().json) {
    Json documents = Json::array();
    for (const policy::Rule& rule : *rules) {
      Json document{{"name", rule.name}};
      for (const auto& [key, value] : keys_of(rule)) document[key] = value;
      documents.push_back(std::move(document));
    }
    console.print(Json{{"preset", name}, {"rules", std::move(documents)}});
    return ExitCode::kOk;
  }
  std::string_view purpose;
  for (const policy::Preset& preset : policy::presets()) {
    if (preset.name == name) purpose = preset.purpose;
  }
  console.verbatim(as_file(name, purpose, *rules));
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
