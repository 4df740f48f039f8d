#include "daemon/cli/user_names.h"

#include <algorithm>

#include "daemon/cli/table.h"

namespace saslatch::cli {
namespace {

// The character (one code point, as far as it is UTF-8) that holds the byte at `position`.
std::string character_at(std::string_view text, size_t position) {
  const auto is_tail = [&](size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  size_t end = position + 1;
  while (end < text.size() && is_tail(end)) ++end;
  return printable(text.substr(position, end - position));
}

}  // namespace

std::string why_refused(std::string_view name, const UsernameRules& rules) {
  const std::string shown = "'" + std::string(name.substr(0, 80)) + "' cannot be a login name: ";
  if (name.find_first_not_of(' ') == std::string_view::npos) return "a login name cannot be empty";
  for (size_t i = 0; i < name.size(); ++i) {
    const char raw = name[i];
    const char byte =
        rules.lowercase && raw >= 'A' && raw <= 'Z' ? static_cast<char>(raw + 32) : raw;
    if (rules.allowed.test(static_cast<unsigned char>(byte))) continue;
    std::string why = shown + "the character '" + character_at(name, i) +
                      "' is not in [usernames] allowed-chars, so a login with it is refused unseen";
    if (raw >= 'A' && raw <= 'Z') why += " (capitals are allowed by `lowercase = yes`)";
    return why;
  }
  return shown + "with its domain it is longer than " + std::to_string(kMaxUsername) + " bytes";
}

}  // namespace saslatch::cli
