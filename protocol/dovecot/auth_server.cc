#include "protocol/dovecot/auth_server.h"

#include <algorithm>
#include <utility>

#include "protocol/base/base64.h"
#include "protocol/dovecot/escape.h"
#include "protocol/dovecot/fields.h"
#include "protocol/dovecot/reply_line.h"

namespace saslatch::dovecot {
namespace {

constexpr uint32_t kMajor = 1;
// 1.2 is the oldest minor with `code=` and the newest that promises no channel binding.
constexpr uint32_t kMinor = 2;

constexpr uint32_t kMinorOfCode = 2;       // FAIL has code=; an empty resp= is an empty response
constexpr uint32_t kMinorOfContExtra = 3;  // CONT may carry channel_binding=
constexpr uint32_t kMinorOfCancelled = 4;  // CANCEL is answered

constexpr std::string_view kTimedOut = "Authentication request timed out";
constexpr std::string_view kUnexpected = "Unexpected continuation";

void append_mechanism(std::string& out, const MechanismOffer& mechanism) {
  out += "MECH\t";
  append_escaped(out, mechanism.name);
  const std::pair<bool, std::string_view> flags[] = {
      {mechanism.is_private, "\tprivate"},      {mechanism.anonymous, "\tanonymous"},
      {mechanism.plaintext, "\tplaintext"},     {mechanism.dictionary, "\tdictionary"},
      {mechanism.active, "\tactive"},           {mechanism.forward_secrecy, "\tforward-secrecy"},
      {mechanism.mutual_auth, "\tmutual-auth"}, {mechanism.channel_binding, "\tchannel-binding"},
  };
  for (const auto& [set, word] : flags) {
    if (set) out += word;
  }
  out += '\n';
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string text_of(std::string_view value) {
  // Nearly every value is clean.
  if (value.find(kEscape) == std::string_view::npos) return std::string(value);
  return unescaped(value);
}

uint16_t port_of(std::string_view value) { return parse_number<uint16_t>(value).value_or(0); }

// Reads one parameter of AUTH; the last of several with one name counts, unknown names are ignored.
// False for `resp`, which is the caller's.
bool read_parameter(AuthRequest& request, const Parameter& parameter, bool& has_service) {
  const auto& [name, value] = parameter;
  if (name == "resp") return false;
  if (name == "service" || name == "protocol") {
    request.service = text_of(value);
    has_service = true;
  } else if (name == "rip") {
    request.rip_text = text_of(value);
    request.rip = IpAddress::parse(value);
  } else if (name == "lip") {
    request.lip_text = text_of(value);
    request.lip = IpAddress::parse(value);
  } else if (name == "secured") {
    request.secured = value == "tls" ? Secured::kTls : Secured::kYes;
  } else if (name == "nologin") {
    request.nologin = true;
  } else if (name == "no-penalty") {
    request.no_penalty = true;
  } else if (name == "final-resp-ok") {
    request.final_resp_ok = true;
  } else if (name == "valid-client-cert") {
    request.valid_client_cert = true;
  } else if (name == "debug") {
    request.debug = true;
  } else if (name == "rport") {
    request.rport = port_of(value);
  } else if (name == "lport") {
    request.lport = port_of(value);
  } else if (name == "real_rip") {
    request.real_rip = IpAddress::parse(value);
  } else if (name == "real_lip") {
    request.real_lip = IpAddress::parse(value);
  } else if (name == "real_rport") {
    request.real_rport = port_of(value);
  } else if (name == "real_lport") {
    request.real_lport = port_of(value);
  } else if (name == "session") {
    request.session = text_of(value);
  } else if (name == "local_name") {
    request.local_name = text_of(value);
  } else if (name == "client_id") {
    request.client_id = text_of(value);
  } else if (name == "cert_username") {
    request.cert_username = text_of(value);
  }
  return true;
}

// A response as sent: base64, or "=" for an empty one (RFC 4954 writes it so, and Prosody here).
// An escape in it is as foreign as any other byte outside the alphabet, and so is the "#" of 2.4's
// out-of-band round, which a client sends only to answer one; this half never begins one.
std::optional<Secret> decode_response(std::string_view text) {
  if (text == "=") return Secret();
  return base64_decode_secret(text);
}

constexpr size_t kUsualReply = 128;
constexpr size_t kUsualHandshake = 384;

bool is_sendable_user(std::string_view user) { return !user.empty() && user.size() <= kMaxUser; }

// code= is known from minor 2 on; before it, some causes were bare words. Prosody still reads only
// the bare `temp`, and nobody minds it beside code=temp_fail.
void append_code(std::string& out, FailCode code, uint32_t client_minor) {
  const bool is_old = client_minor < kMinorOfCode;
  switch (code) {
    case FailCode::kNone:
      break;
    case FailCode::kTempFail:
      out += "\tcode=temp_fail\ttemp";
      break;
    case FailCode::kAuthzFail:
      out += is_old ? "\tauthz" : "\tcode=authz_fail";
      break;
    case FailCode::kUserDisabled:
      out += is_old ? "\tuser_disabled" : "\tcode=user_disabled";
      break;
    case FailCode::kPassExpired:
      out += is_old ? "\tpass_expired" : "\tcode=pass_expired";
      break;
    case FailCode::kInvalidBase64:
      out += is_old ? "" : "\tcode=invalid_base64";
      break;
  }
}

// Without the LF.
void append_fail(std::string& out, uint32_t id, const FailReply& reply, uint32_t client_minor) {
  append_numbered(out, "FAIL", id);
  if (is_sendable_user(reply.user)) append_field(out, "user=", reply.user);
  append_code(out, reply.code, client_minor);
  if (!reply.reason.empty()) append_field(out, "reason=", reply.reason);
}

}  // namespace

AuthServer::AuthServer(const ServerHandshake& handshake) {
  output_.reserve(kUsualHandshake);
  output_ += "VERSION\t";
  append_number(output_, kMajor);
  output_ += '\t';
  append_number(output_, kMinor);
  output_ += '\n';
  // SPID before the first MECH tells Postfix and Exim that they reached a master socket.
  for (const MechanismOffer& mechanism : handshake.mechanisms) {
    append_mechanism(output_, mechanism);
  }
  output_ += "SPID\t";
  append_number(output_, handshake.spid);
  output_ += "\nCUID\t";
  append_number(output_, handshake.cuid);
  output_ += "\nCOOKIE\t";
  output_ +=
      hex_encode({reinterpret_cast<const char*>(handshake.cookie.data()), handshake.cookie.size()});
  output_ += "\nDONE\n";
}

void AuthServer::receive(std::string_view bytes) {
  if (phase_ != Phase::kBroken) reader_.append(bytes);
}

std::optional<AuthServer::Event> AuthServer::next() {
  std::optional<Event> event;
  while (phase_ != Phase::kBroken && !event) {
    const auto line = reader_.next();
    if (!line) {
      event = broken(line.error().message);
    } else if (*line) {
      take_line(**line, event);
    } else {
      break;
    }
  }
  return event;
}

std::string AuthServer::take_output() { return std::exchange(output_, {}); }

void AuthServer::take_line(std::string_view line, std::optional<Event>& event) {
  Fields fields(line);
  const std::string_view command = *fields.next();
  switch (phase_) {
    case Phase::kVersion:
      take_version(command, fields, event);
      break;
    case Phase::kCpid:
      if (command != "CPID") {
        event = broken("the second line is not CPID");
      } else if (!parse_id(fields.next())) {
        event = broken("CPID is not a number from 1 to 4294967295");
      } else {
        phase_ = Phase::kRequests;
      }
      break;
    case Phase::kRequests:
      if (command == "AUTH") {
        take_auth(fields, event);
      } else if (command == "CONT") {
        take_cont(fields, event);
      } else if (command == "CANCEL") {
        take_cancel(fields, event);
      } else {
        event = broken("unknown command");
      }
      break;
    case Phase::kBroken:
      break;
  }
}

void AuthServer::take_version(std::string_view command, Fields& fields,
                              std::optional<Event>& event) {
  const auto minor = parse_version(command, fields);
  if (!minor) {
    event = broken(minor.error().message);
    return;
  }
  client_minor_ = *minor;
  phase_ = Phase::kCpid;
}

void AuthServer::take_auth(Fields& fields, std::optional<Event>& event) {
  const auto refused = [&](const char* reason) { event = broken(reason); };
  const auto id = parse_id(fields.next());
  if (!id) return refused("AUTH with an id that is not a number from 1 to 4294967295");
  if (live_.find(*id) != nullptr) return refused("AUTH with the id of an unfinished request");
  const auto mechanism = fields.next();
  if (!mechanism || mechanism->empty()) return refused("AUTH without a mechanism");

  AuthRequest& request = std::get<AuthRequest>(event.emplace(std::in_place_type<AuthRequest>));
  request.id = *id;
  request.mechanism = upper_case(text_of(*mechanism));
  bool has_service = false;
  std::optional<std::string_view> resp;
  while (const auto field = fields.next()) {
    if (resp) return refused("AUTH with fields after resp=");
    const Parameter parameter = split_parameter(*field);
    if (!read_parameter(request, parameter, has_service)) resp = parameter.value;
  }
  if (!has_service) return refused("AUTH without service= or protocol=");

  // Below minor 2 an empty resp= means none; Exim sends it so.
  if (resp && !(resp->empty() && client_minor_ < kMinorOfCode)) {
    request.initial_response = decode_response(*resp);
    if (!request.initial_response) {
      refuse(*id, {.code = FailCode::kInvalidBase64,
                   .reason = "Invalid base64 data in initial response"});
      return event.reset();
    }
  }
  if (live_.size() >= kMaxLiveRequests) {
    // Only a proxy with thousands of clients gets here, and it knows temp_fail; closing would fail
    // all of them.
    refuse(*id, {.code = FailCode::kTempFail});
    return event.reset();
  }
  live_.insert(*id, {.final_resp_ok = request.final_resp_ok});
}

void AuthServer::take_cont(Fields& fields, std::optional<Event>& event) {
  const auto id = parse_id(fields.next());
  const auto data = fields.next();
  if (!id) {
    event = broken("CONT with an id that is not a number from 1 to 4294967295");
    return;
  }
  if (!data) {
    event = broken("CONT without data");
    return;
  }
  Live* const live = live_.find(*id);
  if (live == nullptr) return refuse(*id, {.reason = kTimedOut});
  if (live->turn == Turn::kOurs) {
    event = fail_broken_request(*id, FailCode::kNone, kUnexpected);
    return;
  }
  // Older servers took all of the rest for base64, TAB included.
  std::optional<Secret> response;
  if (fields.over() || client_minor_ >= kMinorOfContExtra) response = decode_response(*data);
  if (!response) {
    event = fail_broken_request(*id, FailCode::kInvalidBase64,
                                "Invalid base64 data in continued response");
    return;
  }
  if (live->turn == Turn::kFinal) {
    output_ += aside(*id).verdict;
    return expire(*id);
  }
  live->turn = Turn::kOurs;
  event = ContinueRequest{*id, std::move(*response)};
}

void AuthServer::take_cancel(Fields& fields, std::optional<Event>& event) {
  const auto id = parse_id(fields.next());
  if (!id) {
    event = broken("CANCEL with an id that is not a number from 1 to 4294967295");
    return;
  }
  // An older client would take CANCELLED for a reply to something else, or close.
  if (client_minor_ >= kMinorOfCancelled) {
    append_numbered(output_, "CANCELLED", *id);
    output_ += '\n';
  }
  if (live_.find(*id) == nullptr) return;
  expire(*id);
  event = CancelRequest{*id};
}

ProtocolError AuthServer::broken(std::string reason) {
  phase_ = Phase::kBroken;
  return ProtocolError{std::move(reason)};
}

void AuthServer::refuse(uint32_t id, const FailReply& reply) {
  append_fail(output_, id, reply, client_minor_);
  output_ += '\n';
}

CancelRequest AuthServer::fail_broken_request(uint32_t id, FailCode code, std::string_view reason) {
  const Aside* const kept = aside_.find(id);
  refuse(
      id,
      {.user = kept != nullptr ? kept->user : std::string_view(), .code = code, .reason = reason});
  expire(id);
  return CancelRequest{id};
}

AuthServer::Aside& AuthServer::aside(uint32_t id) {
  Aside* const kept = aside_.find(id);
  return kept != nullptr ? *kept : aside_.insert(id, {});
}

void AuthServer::challenge(uint32_t id, std::string_view bytes, std::string_view user) {
  Live* const live = live_.find(id);
  if (live == nullptr) return;
  live->turn = Turn::kClient;
  if (!user.empty()) aside(id).user = user;
  append_numbered(output_, "CONT", id);
  output_ += '\t';
  output_ += base64_encode(bytes);
  output_ += '\n';
}

template <typename Write>
bool AuthServer::decide(uint32_t id, std::optional<std::string_view> final_data, Write write) {
  Live* const live = live_.find(id);
  if (live == nullptr) return true;
  if (final_data && !live->final_resp_ok) {
    challenge(id, *final_data);
    live->turn = Turn::kFinal;
    std::string& verdict = aside(id).verdict;
    write(verdict);
    verdict += '\n';
    return false;
  }
  // A usual answer whole, in one allocation.
  if (output_.capacity() < kUsualReply) output_.reserve(kUsualReply);
  write(output_);
  if (final_data) {
    output_ += "\tresp=";
    output_ += base64_encode(*final_data);
  }
  output_ += '\n';
  expire(id);
  return true;
}

bool AuthServer::ok(uint32_t id, const OkReply& reply) {
  if (!is_sendable_user(reply.user)) return fail(id, {});
  return decide(id, reply.final_data, [&](std::string& out) {
    append_numbered(out, "OK", id);
    append_field(out, "user=", reply.user);
  });
}

bool AuthServer::fail(uint32_t id, const FailReply& reply) {
  return decide(id, reply.final_data,
                [&](std::string& out) { append_fail(out, id, reply, client_minor_); });
}

void AuthServer::expire(uint32_t id) {
  live_.erase(id);
  aside_.erase(id);
}

}  // namespace saslatch::dovecot
