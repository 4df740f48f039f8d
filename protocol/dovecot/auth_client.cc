#include "protocol/dovecot/auth_client.h"

#include <algorithm>
#include <utility>

#include "protocol/base/base64.h"
#include "protocol/dovecot/fields.h"
#include "protocol/dovecot/reply_line.h"

namespace saslatch::dovecot {
namespace {

// From this minor on, servers know `protocol=` and 2.4 clients send nothing else.
constexpr uint32_t kMinorOfProtocol = 3;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

void read_flag(MechanismOffer& mechanism, std::string_view word) {
  if (word == "private") mechanism.is_private = true;
  if (word == "anonymous") mechanism.anonymous = true;
  if (word == "plaintext") mechanism.plaintext = true;
  if (word == "dictionary") mechanism.dictionary = true;
  if (word == "active") mechanism.active = true;
  if (word == "forward-secrecy") mechanism.forward_secrecy = true;
  if (word == "mutual-auth") mechanism.mutual_auth = true;
  if (word == "channel-binding") mechanism.channel_binding = true;
}

// The value of code=, and the bare words of servers before minor 2.
FailCode code_of(std::string_view word) {
  if (word == "temp_fail" || word == "temp") return FailCode::kTempFail;
  if (word == "authz_fail" || word == "authz") return FailCode::kAuthzFail;
  if (word == "user_disabled") return FailCode::kUserDisabled;
  if (word == "pass_expired") return FailCode::kPassExpired;
  if (word == "invalid_base64") return FailCode::kInvalidBase64;
  return FailCode::kNone;
}

void append_text(std::string& line, std::string_view name, std::string_view value) {
  if (!value.empty()) append_field(line, name, value);
}

void append_port(std::string& line, std::string_view name, uint16_t port) {
  if (port == 0) return;
  line += '\t';
  line += name;
  append_number(line, port);
}

void append_flag(std::string& line, bool is_set, std::string_view word) {
  if (!is_set) return;
  line += '\t';
  line += word;
}

void append_base64(std::string& line, std::string_view bytes) {
  std::string text = base64_encode(bytes);
  line += text;
  wipe(text);
}

// Room for a whole line with `secret_bytes` in it, so that the string never moves and leaves a copy
// behind.
std::string line_with_room(size_t text_bytes, size_t secret_bytes) {
  constexpr size_t kFixed = 256;  // all names of parameters, ports and ids
  std::string line;
  line.reserve(kFixed + text_bytes * 2 + (secret_bytes + 2) / 3 * 4);
  return line;
}

}  // namespace

const MechanismOffer* ServerInfo::find(std::string_view name) const {
  const auto at = std::find_if(
      mechanisms.begin(), mechanisms.end(),
      [&](const MechanismOffer& offer) { return equals_ignoring_case(offer.name, name); });
  return at == mechanisms.end() ? nullptr : &*at;
}

AuthClient::AuthClient(uint32_t cpid, uint32_t minor) {
  std::string greeting = "VERSION\t1\t";
  append_number(greeting, minor);
  greeting += '\n';
  append_numbered(greeting, "CPID", cpid);
  greeting += '\n';
  output_.append(greeting);
}

void AuthClient::receive(std::string_view bytes) {
  if (phase_ != Phase::kBroken) reader_.append(bytes);
}

std::optional<AuthClient::Event> AuthClient::next() {
  while (phase_ != Phase::kBroken) {
    const auto line = reader_.next();
    if (!line) return broken(line.error().message);
    if (!*line) break;
    if (auto event = take_line(**line)) return event;
  }
  return std::nullopt;
}

Secret AuthClient::take_output() {
  Secret bytes(output_.view());
  output_.consume(output_.size());
  return bytes;
}

std::optional<AuthClient::Event> AuthClient::take_line(std::string_view line) {
  Fields fields(line);
  const std::string_view command = *fields.next();
  switch (phase_) {
    case Phase::kVersion: {
      const auto minor = parse_version(command, fields);
      if (!minor) return broken(minor.error().message);
      server_.minor = *minor;
      phase_ = Phase::kHandshake;
      return std::nullopt;
    }
    case Phase::kHandshake:
      return take_handshake(command, fields);
    case Phase::kReady:
      return take_reply(command, fields);
    case Phase::kBroken:
      break;
  }
  return std::nullopt;
}

std::optional<AuthClient::Event> AuthClient::take_handshake(std::string_view command,
                                                            Fields& fields) {
  if (command == "DONE") {
    if (server_.mechanisms.empty()) return broken("the server offers no mechanism");
    phase_ = Phase::kReady;
    return ServerReady{};
  }
  const auto value = fields.next();
  if (!value) return std::nullopt;
  if (command == "MECH") {
    if (server_.mechanisms.size() == kMaxMechanisms) return broken("more than 100 mechanisms");
    MechanismOffer& mechanism = server_.mechanisms.emplace_back();
    mechanism.name = unescaped(*value);
    while (const auto word = fields.next()) read_flag(mechanism, *word);
  } else if (command == "SPID") {
    server_.spid = parse_number<uint32_t>(*value).value_or(0);
  } else if (command == "CUID") {
    server_.cuid = parse_number<uint32_t>(*value).value_or(0);
  } else if (command == "COOKIE") {
    server_.cookie = unescaped(*value);
  }
  return std::nullopt;
}

std::optional<AuthClient::Event> AuthClient::take_reply(std::string_view command, Fields& fields) {
  if (command != "CONT" && command != "OK" && command != "FAIL") return std::nullopt;
  const auto id = parse_id(fields.next());
  if (!id) return broken("a reply with an id that is not a number from 1 to 4294967295");
  if (live_.find(*id) == nullptr) return std::nullopt;
  if (command == "CONT") return take_challenge(*id, fields);
  live_.erase(*id);
  if (command == "OK") return take_ok(*id, fields);
  return take_fail(*id, fields);
}

std::optional<AuthClient::Event> AuthClient::take_challenge(uint32_t id, Fields& fields) {
  auto challenge = base64_decode(fields.next().value_or(""));
  if (!challenge) return broken("a challenge that is not base64");
  live_.find(id)->is_challenged = true;
  return ChallengeReceived{id, std::move(*challenge)};
}

std::optional<AuthClient::Event> AuthClient::take_ok(uint32_t id, Fields& fields) {
  OkReceived ok;
  ok.id = id;
  while (const auto field = fields.next()) {
    const auto [name, value] = split_parameter(*field);
    if (name == "user") ok.user = unescaped(value);
    if (name == "resp" && !(ok.final_data = base64_decode(value))) {
      return broken("OK with final data that is not base64");
    }
  }
  if (ok.user.empty()) return broken("OK without user=");
  return ok;
}

std::optional<AuthClient::Event> AuthClient::take_fail(uint32_t id, Fields& fields) {
  FailReceived fail;
  fail.id = id;
  while (const auto field = fields.next()) {
    const auto [name, value] = split_parameter(*field);
    if (name == "user") {
      fail.user = unescaped(value);
    } else if (name == "reason") {
      fail.reason = unescaped(value);
    } else if (name == "resp") {
      fail.final_data = base64_decode(value);
    } else if (const FailCode code = code_of(name == "code" ? value : name);
               code != FailCode::kNone) {
      fail.code = code;
    }
  }
  return fail;
}

AuthClient::Event AuthClient::broken(std::string reason) {
  phase_ = Phase::kBroken;
  return ProtocolError{std::move(reason)};
}

bool AuthClient::send(std::string& line) {
  const bool fits = line.size() <= kMaxLine;
  if (fits) output_.append(line);
  wipe(line);
  return fits;
}

Result<uint32_t> AuthClient::authenticate(const AuthParameters& p) {
  if (phase_ != Phase::kReady) return failure("the server's handshake is not complete");
  if (live_.size() == kMaxLiveRequests) return failure("4096 requests are unfinished");
  do {
    ++last_id_;
  } while (last_id_ == 0 || live_.find(last_id_) != nullptr);

  const size_t text_bytes = p.mechanism.size() + p.service.size() + p.rip.size() + p.lip.size() +
                            p.session.size() + p.local_name.size() + p.client_id.size() +
                            p.cert_username.size();
  const size_t secret_bytes = p.initial_response ? p.initial_response->size() : 0;
  std::string line = line_with_room(text_bytes, secret_bytes);
  append_numbered(line, "AUTH", last_id_);
  append_field(line, "", p.mechanism);
  append_field(line, server_.minor >= kMinorOfProtocol ? "protocol=" : "service=", p.service);
  append_flag(line, p.nologin, "nologin");
  append_text(line, "lip=", p.lip);
  append_text(line, "rip=", p.rip);
  append_port(line, "lport=", p.lport);
  append_port(line, "rport=", p.rport);
  append_flag(line, p.secured == Secured::kYes, "secured");
  append_flag(line, p.secured == Secured::kTls, "secured=tls");
  append_flag(line, p.valid_client_cert, "valid-client-cert");
  append_flag(line, p.no_penalty, "no-penalty");
  append_flag(line, p.final_resp_ok, "final-resp-ok");
  append_flag(line, p.debug, "debug");
  append_text(line, "session=", p.session);
  append_text(line, "local_name=", p.local_name);
  append_text(line, "client_id=", p.client_id);
  append_text(line, "cert_username=", p.cert_username);
  if (p.initial_response) {
    line += "\tresp=";
    // "=" is an empty one for every server; nothing at all is none for some.
    if (p.initial_response->empty()) line += '=';
    append_base64(line, *p.initial_response);
  }
  line += '\n';
  if (!send(line)) return failure("the AUTH line would be longer than 16384 bytes");
  live_.insert(last_id_, {});
  return last_id_;
}

Result<void> AuthClient::respond(uint32_t id, std::string_view response) {
  Live* const live = live_.find(id);
  if (live == nullptr || !live->is_challenged) return failure("no challenge waits for an answer");
  std::string line = line_with_room(0, response.size());
  append_numbered(line, "CONT", id);
  line += '\t';
  append_base64(line, response);
  line += '\n';
  if (!send(line)) return failure("the response would be longer than 16384 bytes");
  live->is_challenged = false;
  return {};
}

void AuthClient::cancel(uint32_t id) {
  if (!live_.erase(id)) return;
  std::string line;
  append_numbered(line, "CANCEL", id);
  line += '\n';
  send(line);
}

}  // namespace saslatch::dovecot
