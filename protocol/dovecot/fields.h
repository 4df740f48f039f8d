#ifndef SASLATCH_PROTOCOL_DOVECOT_FIELDS_H_
#define SASLATCH_PROTOCOL_DOVECOT_FIELDS_H_

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/base/result.h"

namespace saslatch::dovecot {

// The TAB-separated fields of one line, in order, still escaped. Borrows the line.
class Fields {
 public:
  explicit Fields(std::string_view line) : rest_(line) {}

  // The next field; nullopt after the last. An empty field is a field.
  [[nodiscard]] std::optional<std::string_view> next() {
    if (over_) return std::nullopt;
    const size_t tab = rest_.find('\t');
    const std::string_view field = rest_.substr(0, tab);
    over_ = tab == std::string_view::npos;
    if (!over_) rest_.remove_prefix(tab + 1);
    return field;
  }

  [[nodiscard]] bool over() const { return over_; }

 private:
  std::string_view rest_;
  bool over_ = false;
};

// A `name=value` or bare `name` field. Split at the first '=', so "resp==" is "resp" with "=".
struct Parameter {
  std::string_view name;
  std::string_view value;  // escaped; empty for a bare name
};

inline Parameter split_parameter(std::string_view field) {
  const size_t equals = field.find('=');
  if (equals == std::string_view::npos) return {field, {}};
  return {field.substr(0, equals), field.substr(equals + 1)};
}

// The whole of `text` as a decimal number without sign; nullopt for anything else.
template <typename Unsigned>
std::optional<Unsigned> parse_number(std::string_view text) {
  Unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

// A request id, CPID or the like: 1 to 2^32-1.
inline std::optional<uint32_t> parse_id(std::optional<std::string_view> field) {
  if (!field) return std::nullopt;
  const auto id = parse_number<uint32_t>(*field);
  return id == 0u ? std::nullopt : id;
}

// The minor of a VERSION line, the first line of either side in both protocols. Its command is
// taken out of `fields` already. The major must be ours.
inline Result<uint32_t> parse_version(std::string_view command, Fields& fields) {
  const auto major = fields.next();
  const auto minor = fields.next();
  if (command != "VERSION" || !minor) return failure("the first line is not VERSION");
  if (*major != "1") return failure("the major version is not 1");
  const auto number = parse_number<uint32_t>(*minor);
  if (!number) return failure("the minor version is not a number");
  return *number;
}

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_FIELDS_H_
