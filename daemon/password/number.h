#ifndef SASLATCH_DAEMON_PASSWORD_NUMBER_H_
#define SASLATCH_DAEMON_PASSWORD_NUMBER_H_

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace saslatch::password {

// A parameter of a hash: decimal digits without sign or leading zero, from `least` to `most`. The
// error names the parameter, its value and what is accepted; parameters are no secret.
inline Result<uint32_t> parse_parameter(std::string_view name, std::string_view digits,
                                        uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || end != digits.data() + digits.size() ||
      (digits.front() == '0' && digits.size() > 1) || problem == std::errc::invalid_argument) {
    return failure(std::string(name) + " is not a decimal number");
  }
  if (problem == std::errc::result_out_of_range || value < least || value > most) {
    const std::string shown = problem == std::errc{} ? std::to_string(value) : "more than 2^64";
    return failure(std::string(name) + " is " + shown + "; accepted are " + std::to_string(least) +
                   " to " + std::to_string(most));
  }
  return static_cast<uint32_t>(value);
}

// Takes the text before the next `separator` off `rest`; nullopt if there is none.
inline std::optional<std::string_view> take_until(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return taken;
}

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_NUMBER_H_
