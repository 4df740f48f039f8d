#include "daemon/session/username.h"

#include <algorithm>
#include <cstdint>

namespace saslatch {

void UsernameRules::allow(std::string_view chars) {
  allowed.reset();
  for (const char c : chars) allowed.set(static_cast<uint8_t>(c));
}

std::optional<std::string> normalise_username(std::string_view raw, const UsernameRules& rules) {
  const size_t first = raw.find_first_not_of(' ');
  if (first == std::string_view::npos) return std::nullopt;
  raw = raw.substr(first, raw.find_last_not_of(' ') - first + 1);
  if (raw.size() > kMaxUsername) return std::nullopt;

  std::string name;
  name.reserve(raw.size() + 1 + rules.default_domain.size());
  name = raw;
  // Copies: a byte that is written might be one of theirs, as far as the compiler knows.
  const bool lowercase = rules.lowercase;
  const std::bitset<256> allowed = rules.allowed;
  for (char& c : name) {
    if (lowercase && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!allowed[static_cast<uint8_t>(c)]) return std::nullopt;
  }
  if (!rules.default_domain.empty() && name.find('@') == std::string::npos) {
    name.append(1, '@').append(rules.default_domain);
  }
  if (name.size() > kMaxUsername) return std::nullopt;
  return name;
}

}  // namespace saslatch
