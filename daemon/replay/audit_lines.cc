// saslatchd's audit events (docs/OPERATIONS.md, "The audit log").
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/audit/audit.h"
#include "daemon/replay/fact.h"
#include "daemon/replay/stamp.h"

namespace saslatch::replay {
namespace {

// The fields of an `auth` event that count here.
struct Fields {
  std::string ts, event, outcome, cause, user, rip, mech;
  bool has_user = false;
  bool repeat = false;

  std::string* of(std::string_view key) {
    if (key == "ts") return &ts;
    if (key == "event") return &event;
    if (key == "outcome") return &outcome;
    if (key == "cause") return &cause;
    if (key == "user") return &user;
    if (key == "rip") return &rip;
    if (key == "mech") return &mech;
    return nullptr;
  }
};

// Any JSON. Anything deeper than the object itself, and any field that is not known, is skipped:
// later versions may add some.
class AuditReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  Fields fields;
  bool is_object = false;

  bool null() override { return scalar(); }
  bool boolean(bool value) override {
    if (depth_ == 1 && key_ == "repeat") fields.repeat = value;
    return scalar();
  }
  bool number_integer(number_integer_t) override { return scalar(); }
  bool number_unsigned(number_unsigned_t) override { return scalar(); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return false; }
  bool string(string_t& value) override {
    if (depth_ == 1 && target_ != nullptr) *target_ = std::move(value);
    return scalar();
  }
  bool key(string_t& key) override {
    if (depth_ != 1) return true;
    key_ = key;
    target_ = fields.of(key_);
    if (target_ == &fields.user) fields.has_user = true;
    return true;
  }
  bool start_object(std::size_t) override {
    is_object = true;
    return ++depth_ <= kMaxDepth;
  }
  bool start_array(std::size_t) override { return is_object && ++depth_ <= kMaxDepth; }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  static constexpr int kMaxDepth = 8;  // ours have one; a tower of brackets is no audit event

  bool scalar() const { return is_object; }

  int depth_ = 0;
  std::string key_;
  std::string* target_ = nullptr;
};

// Nine lines of ten need no more than this: one object of plain ASCII strings, booleans and whole
// numbers. nullopt: ask AuditReader, which takes four times as long. tests/fuzz/replay_fuzz.cc
// holds that they agree.
std::optional<Fields> read_plain(std::string_view line) {
  Fields fields;
  const auto is_plain = [](std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c >= ' ' && c < 0x7f && c != '\\'; });
  };
  // The string at the front, without its quotes.
  const auto take_string = [&]() -> std::optional<std::string_view> {
    if (!line.starts_with('"')) return std::nullopt;
    const size_t end = line.find('"', 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = line.substr(1, end - 1);
    line.remove_prefix(end + 1);
    return is_plain(text) ? std::optional(text) : std::nullopt;
  };
  if (!line.starts_with('{') || !line.ends_with('}')) return std::nullopt;
  for (line.remove_prefix(1);; line.remove_prefix(1)) {
    const auto key = take_string();
    if (!key || !line.starts_with(':')) return std::nullopt;
    line.remove_prefix(1);
    if (line.starts_with('"')) {
      const auto value = take_string();
      if (!value) return std::nullopt;
      if (std::string* field = fields.of(*key)) *field = *value;
    } else {
      const std::string_view value = line.substr(0, line.find_first_of(",}"));
      line.remove_prefix(value.size());
      const bool number = !value.empty() && value.size() <= 15 && value[0] != '0' &&
                          value.find_first_not_of("0123456789") == std::string_view::npos;
      if (!number && value != "true" && value != "false" && value != "0") return std::nullopt;
      if (*key == "repeat" && (value == "true" || value == "false"))
        fields.repeat = value == "true";
    }
    if (*key == "user") fields.has_user = true;
    if (line == "}") return fields;
    if (!line.starts_with(',')) return std::nullopt;
  }
}

std::optional<Time> time_of(std::string ts) {
  ts += ' ';
  const auto stamp = parse_stamp(ts);
  if (!stamp || !stamp->offset || stamp->length != ts.size()) return std::nullopt;
  return utc(stamp->civil) - std::chrono::seconds(*stamp->offset);
}

// nullopt: no password was verified, and no policy refused it.
std::optional<Result> result_of(const Fields& fields) {
  if (fields.outcome == to_string(AuthOutcome::kOk)) return Result::kOk;
  if (fields.outcome == to_string(AuthOutcome::kRefused)) return Result::kRefused;
  if (fields.outcome != to_string(AuthOutcome::kFail)) return std::nullopt;
  if (fields.cause == to_string(AuthCause::kUnknownUser)) return Result::kUnknownUser;
  if (fields.cause == to_string(AuthCause::kBadCredential) ||
      fields.cause == to_string(AuthCause::kDisabled))
    return Result::kBadCredential;
  return std::nullopt;
}

LineResult parse_audit_fields(Fields fields) {
  if (fields.event != "auth")
    return fields.event.empty() ? Unusable::kBadJson : Unusable::kOtherEvent;
  const auto at = time_of(std::move(fields.ts));
  if (!at || fields.outcome.empty() || !fields.has_user) return Unusable::kBadJson;
  const auto result = result_of(fields);
  if (!result) return Unusable::kNotVerified;
  Fact fact;
  fact.origin = Origin::kAudit;
  fact.at = *at;
  fact.result = *result;
  fact.names_user = !fields.user.empty();
  fact.user = std::move(fields.user);
  // An odd value is what it was to the daemon: no usable address.
  fact.rip = IpAddress::parse(fields.rip);
  fact.shows_password = fields.mech != "CRAM-MD5";
  fact.repeats = fields.repeat;
  return fact;
}

}  // namespace

LineResult parse_audit(std::string_view line) {
  if (auto plain = read_plain(line)) return parse_audit_fields(std::move(*plain));
  return parse_audit_slowly(line);
}

LineResult parse_audit_slowly(std::string_view line) {
  AuditReader reader;
  if (!nlohmann::json::sax_parse(line.begin(), line.end(), &reader)) return Unusable::kBadJson;
  return parse_audit_fields(std::move(reader.fields));
}

}  // namespace saslatch::replay
