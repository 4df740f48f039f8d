#include "daemon/replay/fact.h"

namespace saslatch::replay {

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::kAudit:
      return "saslatchd's audit log";
    case Origin::kSmtpd:
      return "Postfix smtpd";
    case Origin::kLogin:
      return "Dovecot's login processes";
    case Origin::kAuth:
      return "Dovecot's auth process";
  }
  return "";
}

std::string_view to_string(Unusable unusable) {
  switch (unusable) {
    case Unusable::kNoAttempt:
      return "no-attempt";
    case Unusable::kOtherProgram:
      return "other-program";
    case Unusable::kNotVerified:
      return "not-verified";
    case Unusable::kOtherEvent:
      return "other-event";
    case Unusable::kNoName:
      return "name-not-allowed";
    case Unusable::kNoStamp:
      return "no-time-stamp";
    case Unusable::kBadAddress:
      return "bad-address";
    case Unusable::kUnknownForm:
      return "unknown-form";
    case Unusable::kBadJson:
      return "bad-json";
    case Unusable::kBinary:
      return "binary";
    case Unusable::kTooLong:
      return "too-long";
    case Unusable::kCutOff:
      return "cut-off";
  }
  return "";
}

std::string_view explanation(Unusable unusable) {
  switch (unusable) {
    case Unusable::kNoAttempt:
      return "of smtpd or Dovecot, but about no login";
    case Unusable::kOtherProgram:
      return "of a program that decides no login";
    case Unusable::kNotVerified:
      return "a login given up, malformed or failed by the server's own trouble: no rule counts it";
    case Unusable::kOtherEvent:
      return "an audit event that is no attempt";
    case Unusable::kNoName:
      return "a login name that [usernames] of the policy does not allow: no rule counts it";
    case Unusable::kNoStamp:
      return "begins with no time stamp";
    case Unusable::kBadAddress:
      return "the client's address is none";
    case Unusable::kUnknownForm:
      return "looks like a login, but in a form that is not known";
    case Unusable::kBadJson:
      return "no audit event: not JSON, or without its fields";
    case Unusable::kBinary:
      return "has control bytes: not a log";
    case Unusable::kTooLong:
      return "longer than 64 KiB";
    case Unusable::kCutOff:
      return "the last line of a file, without its end";
  }
  return "";
}

bool is_ordinary(Unusable unusable) {
  switch (unusable) {
    case Unusable::kNoAttempt:
    case Unusable::kOtherProgram:
    case Unusable::kNotVerified:
    case Unusable::kOtherEvent:
      return true;
    case Unusable::kNoName:
    case Unusable::kNoStamp:
    case Unusable::kBadAddress:
    case Unusable::kUnknownForm:
    case Unusable::kBadJson:
    case Unusable::kBinary:
    case Unusable::kTooLong:
    case Unusable::kCutOff:
      break;
  }
  return false;
}

std::string_view to_string(Format format) {
  switch (format) {
    case Format::kAuto:
      return "auto";
    case Format::kAudit:
      return "audit";
    case Format::kPostfix:
      return "postfix";
    case Format::kDovecot:
      return "dovecot";
  }
  return "";
}

std::optional<Format> parse_format(std::string_view text) {
  for (const Format format : {Format::kAuto, Format::kAudit, Format::kPostfix, Format::kDovecot})
    if (to_string(format) == text) return format;
  return std::nullopt;
}

std::optional<Tagged> split_tag(std::string_view rest) {
  Tagged tagged;
  // "imap-login: Info: ...", "auth(alice,...)<...>: Info: ...": a file of Dovecot's own, no host.
  const size_t blank = rest.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view first = rest.substr(0, blank);
  if (first.back() == ':' || first.find('(') != std::string_view::npos) {
    tagged.message = rest;
    return tagged;
  }
  tagged.host = first;
  rest.remove_prefix(blank + 1);
  const size_t end = rest.find_first_of(": [");
  if (end == std::string_view::npos || end == 0 || rest[end] == ' ') return std::nullopt;
  tagged.program = rest.substr(0, end);
  if (rest[end] == '[') {
    const size_t close = rest.find(']', end);
    if (close == std::string_view::npos) return std::nullopt;
    tagged.pid = rest.substr(end + 1, close - end - 1);
    rest.remove_prefix(close + 1);
  } else {
    rest.remove_prefix(end);
  }
  if (rest.substr(0, 2) != ": ") return std::nullopt;
  tagged.message = rest.substr(2);
  return tagged;
}

uint64_t hash_of(std::string_view text, uint64_t seed) {
  uint64_t hash = seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace saslatch::replay
