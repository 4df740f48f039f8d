#ifndef SASLATCH_TESTS_DAEMON_PASSDB_LOOKUPS_H_
#define SASLATCH_TESTS_DAEMON_PASSDB_LOOKUPS_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/passdb/passdb.h"

namespace saslatch::passdb {

// What a passdb that answers at once says of `name`.
inline Lookup look_up(Passdb& passdb, std::string_view name) {
  Lookup found = Unavailable{"find() called nothing"};
  passdb.find(std::string(name), [&found](Lookup answer) { found = std::move(answer); });
  return found;
}

// The lookup in words: "unknown", "down: REASON", or the stored passwords joined with spaces.
inline std::string told(const Lookup& found) {
  if (std::holds_alternative<UnknownUser>(found)) return "unknown";
  if (const auto* down = std::get_if<Unavailable>(&found)) return "down: " + down->reason;
  std::string text;
  for (const Secret& credential : std::get<Account>(found).credentials) {
    if (!text.empty()) text += " ";
    text += credential.reveal();
  }
  return text;
}
inline std::string told(Passdb& passdb, std::string_view name) {
  return told(look_up(passdb, name));
}

inline std::vector<std::string> listed(Passdb& passdb, std::string_view mask) {
  std::vector<std::string> names;
  passdb.list(mask, [&names](std::string_view name) {
    names.emplace_back(name);
    return true;
  });
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace saslatch::passdb

#endif  // SASLATCH_TESTS_DAEMON_PASSDB_LOOKUPS_H_
