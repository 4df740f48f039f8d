#include "daemon/state/redis/codec.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

#include "daemon/policy/settings.h"

namespace saslatch::state::redis {
namespace {

using nlohmann::json;
using policy::SharedReply;

constexpr const char* kUnknownSource = "unknown";

// Of the server's clock: beyond the year 9999 nothing is meant seriously.
constexpr int64_t kLastTime = 253'402'300'799'000;

// No lock and no window is longer, whatever a server says.
Milliseconds bounded(int64_t left) {
  return Milliseconds(std::clamp<int64_t>(left, 0, policy::kMaxLock / Milliseconds(1)));
}

// These two as common.lua has them.
size_t kind_of(policy::Count count) {
  switch (count) {
    case policy::Count::kAttempts:
      return 1;
    case policy::Count::kFailures:
    case policy::Count::kUnknownUsers:
      return 2;
    case policy::Count::kDistinctUsers:
    case policy::Count::kDistinctPasswords:
      break;
  }
  return 3;
}

size_t after_of(policy::Then then) {
  switch (then) {
    case policy::Then::kLock:
      return 1;
    case policy::Then::kRefuse:
      return 2;
    case policy::Then::kDelay:
      break;
  }
  return 3;
}

// What the scripts read with struct.unpack: little-endian, nothing between. Words of their own for
// each of these would cost the server more than all that it does with them.
class Packed {
 public:
  Packed& byte(size_t value) { return put(value, 1); }  // B
  Packed& flag(bool value) { return put(value ? 1 : 0, 1); }
  Packed& count(uint32_t value) { return put(value, 4); }  // I4
  Packed& level(uint32_t value) { return put(value, 2); }  // I2
  // d: a script's numbers are doubles.
  Packed& name(uint64_t value) { return real(static_cast<double>(value & kExact)); }
  Packed& real(double value) { return put(std::bit_cast<uint64_t>(value), 8); }  // d
  Packed& time(Milliseconds value) { return real(static_cast<double>(value.count())); }
  std::string take() { return std::move(bytes_); }

 private:
  static constexpr uint64_t kExact = (uint64_t{1} << 53) - 1;
  Packed& put(uint64_t value, int bytes) {
    for (; bytes > 0; --bytes, value >>= 8) bytes_ += static_cast<char>(value & 0xff);
    return *this;
  }
  std::string bytes_;
};

// What both scripts are told of a rule first.
void append_rule(const policy::SharedRule& rule, Packed& data) {
  data.name(rule.id)
      .byte(after_of(rule.then))
      .byte(kind_of(rule.count))
      .count(rule.limit)
      .time(rule.window)
      .time(rule.merge)
      .name(rule.token)
      .name(rule.member);
}

bool merges(const policy::SharedHold& hold) {
  return std::any_of(hold.rules.begin(), hold.rules.end(), [](const policy::SharedRule& rule) {
    return rule.merge > policy::Duration(0);
  });
}

// EVALSHA with these keys; the first argument of each script is the time, 0: its server's.
Command script(const std::string& sha, std::vector<std::string> keys, std::string data) {
  Command command{"EVALSHA", sha, std::to_string(keys.size())};
  std::move(keys.begin(), keys.end(), std::back_inserter(command));
  command.emplace_back("0");
  command.push_back(std::move(data));
  return command;
}

std::string network_text(const std::optional<Network>& network) {
  return network ? network->to_string() : kUnknownSource;
}

// False: not a network.
bool parse_network(std::string_view text, std::optional<Network>& network) {
  network.reset();
  if (text == kUnknownSource) return true;
  if (const auto parsed = Network::parse(text)) network = *parsed;
  return network.has_value();
}

class Encoder {
 public:
  explicit Encoder(const ServerClock& clock) : clock_(clock) {}
  json operator()(const policy::LockRecord& lock) const {
    return {{"k", "lock"},
            {"key", to_hex(lock.key)},
            {"rule", to_hex(lock.rule_id)},
            {"subject", lock.subject},
            {"reason", lock.reason},
            {"until", clock_.to_server(lock.until)},
            {"lasts", lock.lasts.count()},
            {"level", lock.level}};
  }
  json operator()(const policy::FamiliarRecord& familiar) const {
    return {{"k", "familiar"},
            {"user", to_hex(familiar.user_key)},
            {"network", network_text(familiar.network)},
            {"at", clock_.to_server(familiar.at)}};
  }
  json operator()(const policy::LocksCleared&) const { return {{"k", "cleared-all"}}; }
  json operator()(const SubjectCleared& cleared) const {
    return {{"k", "cleared"}, {"subject", to_hex(cleared.subject)}};
  }
  json operator()(const FailuresGivenBack& given) const {
    return {{"k", "given-back"}, {"subject", to_hex(given.subject)}, {"tag", given.tag}};
  }
  json operator()(const WindowUsedUp& window) const {
    return {{"k", "used-up"}, {"key", to_hex(window.key)}};
  }

 private:
  const ServerClock& clock_;
};

// The fields of an object, each optional and of one type.
class Fields {
 public:
  explicit Fields(const json& object) : object_(object) {}
  [[nodiscard]] std::optional<std::string> text(const char* name) const {
    const auto it = object_.find(name);
    if (it == object_.end() || !it->is_string()) return std::nullopt;
    return it->get<std::string>();
  }
  [[nodiscard]] std::optional<uint64_t> hex(const char* name) const {
    const auto value = text(name);
    return value ? from_hex(*value) : std::nullopt;
  }
  [[nodiscard]] std::optional<int64_t> integer(const char* name) const {
    const auto it = object_.find(name);
    if (it == object_.end() || !it->is_number_integer()) return std::nullopt;
    return it->get<int64_t>();
  }

 private:
  const json& object_;
};

std::optional<News> decode_lock(const Fields& fields, const ServerClock& clock) {
  const auto key = fields.hex("key"), rule = fields.hex("rule");
  const auto subject = fields.text("subject"), reason = fields.text("reason");
  const auto until = fields.integer("until"), lasts = fields.integer("lasts"),
             level = fields.integer("level");
  if (!key || !rule || !subject || !reason || !until || !lasts || !level) return std::nullopt;
  if (!is_time(*until) || *lasts < 0 || Milliseconds(*lasts) > policy::kMaxLock || *level < 1 ||
      *level > UINT16_MAX)
    return std::nullopt;
  return policy::LockRecord{*key,
                            *rule,
                            *subject,
                            *reason,
                            clock.from_server(*until),
                            policy::Duration(*lasts),
                            static_cast<uint32_t>(*level)};
}

}  // namespace

bool is_time(int64_t time) { return time >= 0 && time <= kLastTime; }

std::optional<uint64_t> from_hex(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string to_hex(uint64_t value) {
  std::string text(16, '0');
  for (size_t i = text.size(); i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

std::string KeyNames::subject(uint64_t subject) const {
  return prefix_ + ":{" + to_hex(subject) + "}";
}
std::string KeyNames::memory(uint64_t subject) const { return KeyNames::subject(subject) + ":r"; }
std::string KeyNames::told(uint64_t subject) const { return KeyNames::subject(subject) + ":t"; }

Command reserve_command(const KeyNames& keys, const std::string& sha,
                        const policy::SharedRequest& request, Milliseconds stands) {
  std::vector<std::string> names;
  Packed data;
  data.time(stands).flag(request.observes).byte(request.holds.size());
  for (const policy::SharedHold& hold : request.holds) {
    names.push_back(keys.subject(hold.subject));
    names.push_back(keys.memory(hold.subject));
    data.name(hold.repeat).byte(hold.rules.size());
    for (const policy::SharedRule& rule : hold.rules) append_rule(rule, data);
  }
  return script(sha, std::move(names), data.take());
}

Command settle_command(const KeyNames& keys, const std::string& sha,
                       const policy::SharedSettlement& settlement, Milliseconds age) {
  std::vector<std::string> names;
  Packed data;
  data.time(age).flag(settlement.observes).count(settlement.tag);
  data.name(settlement.serial).byte(settlement.holds.size());
  for (const policy::SharedHold& hold : settlement.holds) {
    names.push_back(keys.subject(hold.subject));
    names.push_back(keys.memory(hold.subject));
    if (merges(hold)) names.push_back(keys.told(hold.subject));
    data.name(hold.repeat).flag(hold.notes_repeat).flag(merges(hold)).byte(hold.rules.size());
    for (const policy::SharedRule& rule : hold.rules) {
      append_rule(rule, data);
      data.flag(rule.is_event).flag(rule.gives_back);
      data.time(rule.lasts).real(rule.factor).time(rule.cap);
    }
  }
  return script(sha, std::move(names), data.take());
}

Command lock_command(const KeyNames& keys, const std::string& sha, uint64_t subject,
                     const policy::LockRecord& lock, policy::Time now) {
  Packed data;
  data.name(lock.rule_id).time(std::chrono::ceil<Milliseconds>(lock.until - now)).level(lock.level);
  return script(sha, {keys.subject(subject)}, data.take());
}

std::optional<SharedReply> parse_reserved(const Reply& reply) {
  const auto verdict = reply.integer_at(0);
  if (!verdict) return std::nullopt;
  SharedReply parsed;
  const auto counted = [&](size_t at, bool with_events) -> std::optional<SharedReply::Counted> {
    const auto hold = reply.integer_at(at), rule = reply.integer_at(at + 1);
    const auto events = with_events ? reply.integer_at(at + 2) : 0;
    const auto left = reply.integer_at(at + (with_events ? 3 : 2));
    if (!hold || !rule || !events || !left) return std::nullopt;
    if (*hold < 0 || *rule < 0 || *events < 0 || *left < 0) return std::nullopt;
    return SharedReply::Counted{static_cast<size_t>(*hold), static_cast<size_t>(*rule),
                                static_cast<uint32_t>(std::min<int64_t>(*events, UINT32_MAX)),
                                bounded(*left)};
  };
  if (*verdict == 1) {
    const auto struck = counted(2, false);
    if (!struck) return std::nullopt;
    parsed.verdict = SharedReply::Verdict::kStruck;
    parsed.struck = *struck;
    return parsed;
  }
  if (*verdict == 2) {
    parsed.verdict = SharedReply::Verdict::kFull;
    return parsed;
  }
  if (*verdict != 0 || reply.items.size() < 3) return std::nullopt;
  parsed.verdict = SharedReply::Verdict::kFree;
  const std::string& known = reply.items[2].text;
  for (size_t i = 0; i < known.size() && i < 64; ++i)
    if (known[i] == '1') parsed.repeats |= uint64_t{1} << i;
  for (size_t at = 3; at < reply.items.size(); at += 4) {
    const auto delay = counted(at, true);
    if (!delay) return std::nullopt;
    parsed.delays.push_back(*delay);
  }
  return parsed;
}

std::optional<SettledReply> parse_settled(const Reply& reply) {
  const auto time = reply.integer_at(0);
  if (!time || !is_time(*time) || reply.items.size() < 2) return std::nullopt;
  SettledReply parsed;
  parsed.server_time = *time;
  const Reply& gave = reply.items[1];
  for (size_t i = 0; i < gave.items.size(); ++i)
    if (const auto hold = gave.integer_at(i); hold && *hold >= 0)
      parsed.gave.push_back(static_cast<size_t>(*hold));
  for (size_t at = 2; at + 3 < reply.items.size(); at += 4) {
    const auto hold = reply.integer_at(at), rule = reply.integer_at(at + 1);
    const auto left = reply.integer_at(at + 2), level = reply.integer_at(at + 3);
    if (!hold || !rule || !left || !level || *hold < 0 || *rule < 0 || *level < 1)
      return std::nullopt;
    parsed.locks.push_back({static_cast<size_t>(*hold), static_cast<size_t>(*rule), bounded(*left),
                            static_cast<uint32_t>(std::min<int64_t>(*level, UINT16_MAX))});
  }
  return parsed;
}

std::string encode(const News& news, const ServerClock& clock) {
  // A name in a lock's subject may be no UTF-8.
  return std::visit(Encoder(clock), news).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<News> decode(std::string_view text, const ServerClock& clock) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const Fields fields(object);
  const auto kind = fields.text("k");
  if (kind == "lock") return decode_lock(fields, clock);
  if (kind == "cleared-all") return policy::LocksCleared{};
  if (kind == "familiar") {
    const auto user = fields.hex("user");
    const auto at = fields.integer("at");
    const auto network = fields.text("network");
    policy::FamiliarRecord record;
    if (!user || !at || !is_time(*at) || !network || !parse_network(*network, record.network))
      return std::nullopt;
    record.user_key = *user;
    record.at = clock.from_server(*at);
    return record;
  }
  if (kind == "used-up") {
    const auto key = fields.hex("key");
    return key ? std::optional<News>(WindowUsedUp{*key}) : std::nullopt;
  }
  const auto subject = fields.hex("subject");
  if (!subject) return std::nullopt;
  if (kind == "cleared") return SubjectCleared{*subject, {}};
  const auto tag = fields.integer("tag");
  if (kind != "given-back" || !tag || *tag < 0 || *tag > UINT32_MAX) return std::nullopt;
  return FailuresGivenBack{*subject, static_cast<uint32_t>(*tag)};
}

std::string familiar_member(const policy::FamiliarRecord& record) {
  return to_hex(record.user_key) + " " + network_text(record.network);
}

std::optional<policy::FamiliarRecord> parse_familiar(std::string_view member, int64_t score,
                                                     const ServerClock& clock) {
  const size_t blank = member.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const auto user = from_hex(member.substr(0, blank));
  policy::FamiliarRecord record;
  if (!user || !is_time(score) || !parse_network(member.substr(blank + 1), record.network))
    return std::nullopt;
  record.user_key = *user;
  record.at = clock.from_server(score);
  return record;
}

}  // namespace saslatch::state::redis
