#include "plugin/exchange.h"

#include <utility>

#include "plugin/endpoint.h"

namespace saslatch::plugin {
namespace {

std::string_view text_of(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

Exchange::~Exchange() {
  if (state_ != State::kChallenged || &relay_.link() != link_) return;
  link_->cancel(id_);
}

int Exchange::step(std::optional<std::string_view> message, std::optional<std::string_view>& output,
                   sasl_out_params_t& result) {
  output.reset();
  const Deadline deadline = Clock::now() + options_.timeout;
  const State before = state_;
  if (before == State::kOver) return SASL_BADPROT;
  if (before == State::kChallenged && !message) message = "";
  // An empty initial response of a mechanism where either side may begin is none (LOGIN).
  if (before == State::kFresh && message && message->empty() &&
      mechanism_.first_turn == sasl::FirstTurn::kVariable) {
    message.reset();
  }
  if (message) {
    if (const auto checked = mechanism_.check_message(messages_, *message); !checked) {
      server_.utils->seterror(server_.utils->conn, 0, "saslatch: %s",
                              checked.error().message.c_str());
      return SASL_BADPROT;  // the destructor cancels
    }
    ++messages_;
  }
  if (before == State::kFresh) return conclude(begin(message, deadline), output, result);
  if (&relay_.link() != link_) {
    state_ = State::kOver;
    return unavailable("a login that was begun before a fork cannot be finished after it");
  }
  state_ = State::kOver;
  return conclude(link_->respond(id_, *message, deadline), output, result);
}

Answer Exchange::begin(std::optional<std::string_view> initial_response, Deadline deadline) {
  const Endpoint remote = parse_endpoint(text_of(server_.ipremoteport));
  const Endpoint local = parse_endpoint(text_of(server_.iplocalport));
  dovecot::AuthParameters parameters;
  parameters.mechanism = mechanism_.name;
  if (!options_.service.empty()) {
    parameters.service = options_.service;
  } else if (!text_of(server_.service).empty()) {
    parameters.service = server_.service;
  }
  parameters.rip = remote.ip;
  parameters.rport = remote.port;
  parameters.lip = local.ip;
  parameters.lport = local.port;
  if (options_.assume_tls || server_.external_ssf > 0) parameters.secured = dovecot::Secured::kYes;
  parameters.nologin = true;  // the application logs in, if anything; we only authenticate
  parameters.final_resp_ok = true;
  parameters.initial_response = initial_response;
  state_ = State::kOver;
  link_ = &relay_.link();
  return link_->begin(parameters, deadline, id_);
}

int Exchange::conclude(Answer answer, std::optional<std::string_view>& output,
                       sasl_out_params_t& result) {
  if (auto* challenge = std::get_if<dovecot::ChallengeReceived>(&answer)) {
    state_ = State::kChallenged;
    output_ = std::move(challenge->challenge);
    output = output_;
    return SASL_CONTINUE;
  }
  if (auto* ok = std::get_if<dovecot::OkReceived>(&answer)) return succeed(*ok, output, result);
  if (const auto* fail = std::get_if<dovecot::FailReceived>(&answer)) return refuse(*fail, result);
  return unavailable(std::get<Unavailable>(answer).why);
}

int Exchange::succeed(dovecot::OkReceived& ok, std::optional<std::string_view>& output,
                      sasl_out_params_t& result) {
  // libsasl2 would see a shorter name, which may be somebody else's.
  if (ok.user.find('\0') != std::string::npos) {
    return unavailable("the daemon named an account with a NUL byte in it");
  }
  if (const int code = name_account(ok.user, result); code != SASL_OK) return code;
  result.doneflag = 1;
  result.mech_ssf = 0;
  result.maxoutbuf = 0;
  result.encode_context = nullptr;
  result.encode = nullptr;
  result.decode_context = nullptr;
  result.decode = nullptr;
  result.param_version = 0;
  if (ok.final_data) {
    output_ = std::move(*ok.final_data);
    output = output_;
  }
  return SASL_OK;
}

int Exchange::name_account(const std::string& name, sasl_out_params_t& result) {
  // Without the last flag libsasl2 would look for the account in its own databases, and not find
  // it.
  return server_.canon_user(server_.utils->conn, name.data(), static_cast<unsigned>(name.size()),
                            SASL_CU_AUTHID | SASL_CU_AUTHZID | SASL_CU_EXTERNALLY_VERIFIED,
                            &result);
}

int Exchange::refuse(const dovecot::FailReceived& fail, sasl_out_params_t& result) {
  // Postfix logs whose login failed (sasl_username=) if it can learn the name. Cyrus SASL's own
  // plugins tell it before they verify, too; no success follows from it.
  if (!fail.user.empty() && fail.user.find('\0') == std::string::npos) {
    static_cast<void>(name_account(fail.user, result));
  }
  switch (fail.code) {
    case dovecot::FailCode::kNone:
      explain("saslatch: authentication failed");
      return SASL_BADAUTH;
    case dovecot::FailCode::kTempFail:
      explain("saslatch: temporary failure of the authentication server");
      return SASL_TRYAGAIN;
    case dovecot::FailCode::kAuthzFail:
      explain("saslatch: not authorized");
      return SASL_NOAUTHZ;
    case dovecot::FailCode::kUserDisabled:
      explain("saslatch: account disabled");
      return SASL_DISABLED;
    case dovecot::FailCode::kPassExpired:
      explain("saslatch: password expired");
      return SASL_EXPIRED;
    case dovecot::FailCode::kInvalidBase64:
      break;  // it is we who encode: the daemon and this plugin do not understand each other
  }
  return unavailable("the daemon cannot read the base64 of this plugin");
}

int Exchange::unavailable(const std::string& why) {
  server_.utils->log(server_.utils->conn, SASL_LOG_ERR, "saslatch: %s", why.c_str());
  explain("saslatch: authentication server unavailable");
  return SASL_UNAVAIL;
}

void Exchange::explain(const char* text) {
  // slapd sends this text to the remote side, so it tells nothing of this machine; and the daemon
  // has logged the failure.
  server_.utils->seterror(server_.utils->conn, SASL_NOLOG, "%s", text);
}

}  // namespace saslatch::plugin
