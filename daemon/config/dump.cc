#include <algorithm>

#include "daemon/config/keys.h"
#include "daemon/config/parse.h"

namespace saslatch::config {
namespace {

// Wide enough for most values, so that the comments stand in a column.
constexpr size_t kValueColumn = 48;

template <typename T>
void dump_section(std::string& out, const std::string& title, const std::vector<Key<T>>& keys,
                  const T& values) {
  if (!out.empty()) out += '\n';
  out += "[" + title + "]\n";
  size_t widest = 0;
  for (const Key<T>& key : keys) widest = std::max(widest, key.name.size());
  for (const Key<T>& key : keys) {
    std::string line = key.name + std::string(widest - key.name.size(), ' ') + " = ";
    line += key.get(values);
    line.resize(std::max(line.size(), kValueColumn), ' ');
    out += line + "  ; ";
    if (key.required) {
      out += "required\n";
    } else {
      out += "default: " + (key.default_value.empty() ? "nothing" : key.default_value);
      if (key.default_value.empty() && !key.nothing.empty()) out += ", " + key.nothing;
      out += '\n';
    }
  }
}

}  // namespace

std::string dump(const Config& config) {
  std::string out;
  dump_section(out, "daemon", daemon_keys(), config);
  for (const ListenConfig& listen : config.listen) {
    dump_section(out, "listen." + listen.name, listen_keys(), listen);
  }
  dump_section(out, "mechanisms", mechanisms_keys(), config);
  dump_section(out, "usernames", usernames_keys(), config);
  dump_section(out, "codes", codes_keys(), config);
  for (const PassdbConfig& passdb : config.passdb) {
    auto keys = passdb_keys();
    std::erase_if(keys, [&](const auto& key) { return !key.is_for(to_string(passdb.driver)); });
    dump_section(out, "passdb." + passdb.name, keys, passdb);
  }
  dump_section(out, "policy", policy_keys(), config);
  for (const policy::Rule& rule : config.policy.rules) {
    dump_section(out, "rule." + rule.name, rule_keys(), rule);
  }
  dump_section(out, "state", state_keys(), config);
  return out;
}

}  // namespace saslatch::config
