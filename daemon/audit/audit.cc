#include "daemon/audit/audit.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <type_traits>

#include "daemon/audit/safe_text.h"

namespace saslatch {
namespace {

// `width` digits of a number that has no more.
void put_digits(char* at, int width, unsigned number) {
  for (int i = width - 1; i >= 0; --i, number /= 10) at[i] = static_cast<char>('0' + number % 10);
}

// Builds one object. It writes by pointer into room that is made first, since every login writes a
// dozen fields; keys are literals of ours, need no escape and have a size the compiler knows.
class Object {
 public:
  Object(std::string_view event, WallTime ts, std::string& out) : out_(out), at_(out.size()) {
    make_room(kUsualLine);
    put("{\"ts\":");
    put_time(ts);
    put(",\"event\":\"");
    put_text(event);
    put("\"");
  }
  template <size_t N>
  void text(const char (&key)[N], std::string_view value) {
    begin(key, json_string_room(value));
    at_ = static_cast<size_t>(put_json_string(value, out_.data() + at_) - out_.data());
  }
  template <size_t N>
  void text_if_any(const char (&key)[N], std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  // With a key that is no literal.
  void detail(std::string_view key, std::string_view value) {
    make_room(key.size() + json_string_room(value) + kAroundKey);
    put(",\"");
    put_text(key);
    put("\":");
    at_ = static_cast<size_t>(put_json_string(value, out_.data() + at_) - out_.data());
  }
  template <size_t N>
  void time(const char (&key)[N], WallTime value) {
    begin(key, kTime);
    put_time(value);
  }
  template <size_t N>
  void number(const char (&key)[N], int64_t value) {
    begin(key, kNumber);
    char* const to = out_.data() + at_;
    at_ += static_cast<size_t>(std::to_chars(to, to + kNumber, value).ptr - to);
  }
  template <size_t N>
  void boolean(const char (&key)[N], bool value) {
    begin(key, sizeof "false");
    if (value) {
      put("true");
    } else {
      put("false");
    }
  }
  void end() {
    make_room(sizeof "}\n");
    put("}\n");
    out_.resize(at_);
  }

 private:
  static constexpr size_t kUsualLine = 512;  // holds what the constructor writes
  static constexpr size_t kAroundKey = 4;
  static constexpr size_t kTime = 29;
  static constexpr size_t kNumber = 20;  // every int64_t

  void make_room(size_t size) {
    if (out_.size() - at_ < size) out_.resize(at_ + std::max(size, kUsualLine));
  }
  template <size_t N>
  void begin(const char (&key)[N], size_t room) {
    make_room(N - 1 + kAroundKey + room);
    put(",\"");
    put(key);
    put("\":");
  }
  // Where there is room for it:
  template <size_t N>
  void put(const char (&literal)[N]) {
    std::memcpy(out_.data() + at_, literal, N - 1);
    at_ += N - 1;
  }
  void put_text(std::string_view text) { at_ += text.copy(out_.data() + at_, text.size()); }
  // RFC 3339 in UTC with microseconds, quoted. Years 0 to 9999, as RFC 3339 has them.
  void put_time(WallTime time) {
    using namespace std::chrono;
    const auto micros = floor<microseconds>(time);
    const auto second = floor<seconds>(micros);
    // Most lines are of the second of the line before.
    thread_local auto written = sys_seconds::min();
    thread_local char text[] = "\"0000-00-00T00:00:00.";
    if (second != written) write_second(text, written = second);
    put(text);
    put_digits(out_.data() + at_, 6, static_cast<unsigned>((micros - second).count()));
    at_ += 6;
    put("Z\"");
  }
  static void write_second(char* to, std::chrono::sys_seconds second) {
    using namespace std::chrono;
    const auto day = floor<days>(second);
    const year_month_day date(day);
    const hh_mm_ss clock(second - day);
    put_digits(to + 1, 4, static_cast<unsigned>(static_cast<int>(date.year())));
    put_digits(to + 6, 2, static_cast<unsigned>(date.month()));
    put_digits(to + 9, 2, static_cast<unsigned>(date.day()));
    put_digits(to + 12, 2, static_cast<unsigned>(clock.hours().count()));
    put_digits(to + 15, 2, static_cast<unsigned>(clock.minutes().count()));
    put_digits(to + 18, 2, static_cast<unsigned>(clock.seconds().count()));
  }

  std::string& out_;
  size_t at_;  // where the next byte goes; what is behind it in out_ is room
};

void append(const AuthEvent& e, std::string& out) {
  Object object("auth", e.ts, out);
  object.text("outcome", to_string(e.outcome));
  if (e.cause && e.outcome != AuthOutcome::kOk) object.text("cause", to_string(*e.cause));
  object.text("user", e.user);
  object.text("rip", e.rip);
  object.text("mech", e.mech);
  object.text("service", e.service);
  switch (e.secured) {
    case Secured::kNo:
      object.boolean("secured", false);
      break;
    case Secured::kYes:
      object.boolean("secured", true);
      break;
    case Secured::kTls:
      object.text("secured", "tls");
      break;
  }
  object.text("listener", e.listener);
  object.text_if_any("session", e.session);
  object.text_if_any("credential", e.credential);
  object.text_if_any("why", e.why);
  object.text_if_any("rule", e.rule);
  object.text_if_any("subject", e.subject);
  if (e.would) object.text("would", to_string(*e.would));
  object.boolean("repeat", e.repeat);
  object.number("took_us", e.took.count());
  object.end();
}

void append(const LockEvent& e, std::string& out) {
  Object object("lock", e.ts, out);
  object.text("subject", e.subject);
  object.text_if_any("rule", e.rule);
  object.time("until", e.until);
  object.number("level", e.level);
  object.text("by", e.by);
  object.text_if_any("reason", e.reason);
  object.end();
}

void append(const UnlockEvent& e, std::string& out) {
  Object object("unlock", e.ts, out);
  object.text("subject", e.subject);
  object.text_if_any("rule", e.rule);
  object.text("by", e.by);
  object.end();
}

void append(const AdminEvent& e, std::string& out) {
  Object object("admin", e.ts, out);
  object.text("command", e.command);
  object.text_if_any("target", e.target);
  object.text("by", e.by);
  object.boolean("done", e.done);
  object.text_if_any("reason", e.reason);
  object.end();
}

void append(const StaleCredentialEvent& e, std::string& out) {
  Object object("stale-credential", e.ts, out);
  object.text("user", e.user);
  object.text("rip", e.rip);
  object.text("mech", e.mech);
  object.text("service", e.service);
  object.text("listener", e.listener);
  object.text("credential", e.credential);
  object.text("why", e.why);
  if (e.since) object.time("since", *e.since);
  object.end();
}

void append(const DaemonEvent& e, std::string& out) {
  Object object("daemon", e.ts, out);
  object.text("name", e.name);
  for (const auto& [key, value] : e.details) object.detail(key, value);
  object.end();
}

}  // namespace

std::string_view to_string(AuthOutcome outcome) {
  switch (outcome) {
    case AuthOutcome::kOk:
      return "ok";
    case AuthOutcome::kFail:
      return "fail";
    case AuthOutcome::kRefused:
      return "refused";
    case AuthOutcome::kTemporary:
      return "temporary";
  }
  return "";
}

std::string_view to_string(AuthCause cause) {
  switch (cause) {
    case AuthCause::kBadCredential:
      return "bad-credential";
    case AuthCause::kUnknownUser:
      return "unknown-user";
    case AuthCause::kDisabled:
      return "disabled";
    case AuthCause::kMalformed:
      return "malformed";
    case AuthCause::kMechanism:
      return "mechanism";
    case AuthCause::kNeedsTls:
      return "needs-tls";
    case AuthCause::kLocked:
      return "locked";
    case AuthCause::kRate:
      return "rate";
    case AuthCause::kPassdbDown:
      return "passdb-down";
    case AuthCause::kOverload:
      return "overload";
  }
  return "";
}

std::string_view to_string(Would would) {
  switch (would) {
    case Would::kLocked:
      return "locked";
    case Would::kRate:
      return "rate";
    case Would::kDelay:
      return "delay";
  }
  return "";
}

std::string code_credential(std::string_view id, std::string_view label) {
  std::string text = "code:";
  text += id;
  text += ' ';
  text += label;
  return text;
}

void append_json_line(const Event& event, std::string& out) {
  std::visit([&](const auto& e) { append(e, out); }, event);
}

std::string to_json_line(const Event& event) {
  std::string line;
  append_json_line(event, line);
  return line;
}

}  // namespace saslatch
