#include "daemon/audit/audit.h"

#include <charconv>
#include <type_traits>

#include "daemon/audit/safe_text.h"

namespace saslatch {
namespace {

void append_number(int64_t number, std::string& out) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  static_cast<void>(error);  // 20 characters hold every int64_t
  out.append(digits, end);
}

// `width` digits of a number that has no more.
void put_digits(char* at, int width, unsigned number) {
  for (int i = width - 1; i >= 0; --i, number /= 10) at[i] = static_cast<char>('0' + number % 10);
}

// RFC 3339 in UTC with microseconds, quoted. Years 0 to 9999, as RFC 3339 has them.
void append_time(WallTime time, std::string& out) {
  using namespace std::chrono;
  const auto micros = floor<microseconds>(time);
  const auto day = floor<days>(micros);
  const year_month_day date(day);
  const hh_mm_ss clock(micros - day);
  char text[] = "\"0000-00-00T00:00:00.000000Z\"";
  put_digits(text + 1, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(text + 6, 2, static_cast<unsigned>(date.month()));
  put_digits(text + 9, 2, static_cast<unsigned>(date.day()));
  put_digits(text + 12, 2, static_cast<unsigned>(clock.hours().count()));
  put_digits(text + 15, 2, static_cast<unsigned>(clock.minutes().count()));
  put_digits(text + 18, 2, static_cast<unsigned>(clock.seconds().count()));
  put_digits(text + 21, 6, static_cast<unsigned>(clock.subseconds().count()));
  out.append(text, sizeof text - 1);
}

// Builds one object. Keys are ours and need no escape.
class Object {
 public:
  Object(std::string_view event, WallTime ts, std::string& out) : out_(out) {
    out_ += "{\"ts\":";
    append_time(ts, out_);
    out_ += ",\"event\":\"";
    out_ += event;
    out_ += '"';
  }
  void text(std::string_view key, std::string_view value) {
    begin(key);
    append_json_string(value, out_);
  }
  void text_if_any(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  void time(std::string_view key, WallTime value) {
    begin(key);
    append_time(value, out_);
  }
  void number(std::string_view key, int64_t value) {
    begin(key);
    append_number(value, out_);
  }
  void boolean(std::string_view key, bool value) {
    begin(key);
    out_ += value ? "true" : "false";
  }
  void end() { out_ += "}\n"; }

 private:
  void begin(std::string_view key) {
    out_ += ",\"";
    out_ += key;
    out_ += "\":";
  }
  std::string& out_;
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
  for (const auto& [key, value] : e.details) object.text(key, value);
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
