#ifndef SASLATCH_DAEMON_PASSDB_MASK_H_
#define SASLATCH_DAEMON_PASSDB_MASK_H_

#include <string_view>

namespace saslatch::passdb {

// Whether `name` matches `mask` as LIST of the master protocol has it: `*` is any run of bytes, `?`
// any one byte, ASCII letters match in either case. An empty mask matches only an empty name.
// Time at most the product of the lengths.
[[nodiscard]] bool matches_mask(std::string_view mask, std::string_view name);

// ASCII only, whatever the locale: names are compared as the auth protocol writes them.
[[nodiscard]] constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_MASK_H_
