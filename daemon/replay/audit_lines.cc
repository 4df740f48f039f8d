// saslatchd's audit events (docs/OPERATIONS.md, "The audit log").
#include <nlohmann/json.hpp>

#include "daemon/audit/audit.h"
#include "daemon/replay/fact.h"
#include "daemon/replay/stamp.h"

namespace saslatch::replay {
namespace {

// The fields of an `auth` event that count here. Anything deeper than the object itself, and any
// field that is not known, is skipped: later versions may add some.
class AuditReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::string ts, event, outcome, cause, user, rip, mech, session;
  bool has_user = false;
  bool repeat = false;
  bool is_object = false;

  bool null() override { return scalar(); }
  bool boolean(bool value) override {
    if (depth_ == 1 && key_ == "repeat") repeat = value;
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
    target_ = target_of(key_);
    if (target_ == &user) has_user = true;
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
  std::string* target_of(std::string_view key) {
    if (key == "ts") return &ts;
    if (key == "event") return &event;
    if (key == "outcome") return &outcome;
    if (key == "cause") return &cause;
    if (key == "user") return &user;
    if (key == "rip") return &rip;
    if (key == "mech") return &mech;
    return nullptr;
  }

  int depth_ = 0;
  std::string key_;
  std::string* target_ = nullptr;
};

std::optional<Time> time_of(std::string ts) {
  ts += ' ';
  const auto stamp = parse_stamp(ts);
  if (!stamp || !stamp->offset || stamp->length != ts.size()) return std::nullopt;
  return utc(stamp->civil) - std::chrono::seconds(*stamp->offset);
}

// nullopt: no password was verified, and no policy refused it.
std::optional<Result> result_of(const AuditReader& reader) {
  if (reader.outcome == to_string(AuthOutcome::kOk)) return Result::kOk;
  if (reader.outcome == to_string(AuthOutcome::kRefused)) return Result::kRefused;
  if (reader.outcome != to_string(AuthOutcome::kFail)) return std::nullopt;
  if (reader.cause == to_string(AuthCause::kUnknownUser)) return Result::kUnknownUser;
  if (reader.cause == to_string(AuthCause::kBadCredential) ||
      reader.cause == to_string(AuthCause::kDisabled))
    return Result::kBadCredential;
  return std::nullopt;
}

}  // namespace

LineResult parse_audit(std::string_view line) {
  AuditReader reader;
  if (!nlohmann::json::sax_parse(line.begin(), line.end(), &reader)) return Unusable::kBadJson;
  if (reader.event != "auth")
    return reader.event.empty() ? Unusable::kBadJson : Unusable::kOtherEvent;
  const auto at = time_of(std::move(reader.ts));
  if (!at || reader.outcome.empty() || !reader.has_user) return Unusable::kBadJson;
  const auto result = result_of(reader);
  if (!result) return Unusable::kNotVerified;
  Fact fact;
  fact.origin = Origin::kAudit;
  fact.at = *at;
  fact.result = *result;
  fact.names_user = !reader.user.empty();
  fact.user = std::move(reader.user);
  // An odd value is what it was to the daemon: no usable address.
  fact.rip = IpAddress::parse(reader.rip);
  fact.shows_password = reader.mech != "CRAM-MD5";
  fact.repeats = reader.repeat;
  return fact;
}

}  // namespace saslatch::replay
