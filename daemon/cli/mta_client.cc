#include "daemon/cli/mta_client.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <variant>

#include "daemon/cli/client_mechanism.h"
#include "daemon/cli/descriptor.h"
#include "protocol/dovecot/auth_client.h"

namespace saslatch::cli {
namespace {

using Clock = std::chrono::steady_clock;
using dovecot::AuthClient;

// One connection and its client half.
class Connection {
 public:
  static Result<Connection> open(const std::string& socket) {
    auto descriptor = connect_to(socket, Clock::now() + kMtaPatience);
    if (!descriptor) return failure(descriptor.error().message);
    return Connection(std::move(*descriptor));
  }

  // The next event; nullopt if the server has closed the connection. An error after kMtaPatience
  // without one.
  Result<std::optional<AuthClient::Event>> next() {
    const Deadline deadline = Clock::now() + kMtaPatience;
    for (;;) {
      if (const Secret output = client_->take_output(); !output.empty()) {
        // A server that hung up may still have an answer underway: reading tells.
        [[maybe_unused]] const auto sent = write_all(descriptor_, output.reveal(), deadline);
      }
      if (auto event = client_->next()) return event;
      std::string bytes;
      const auto more = read_some(descriptor_, bytes, deadline);
      if (!more) return failure(more.error().message);
      if (!*more) return std::optional<AuthClient::Event>();
      client_->receive(bytes);
    }
  }

  [[nodiscard]] AuthClient& client() { return *client_; }

 private:
  explicit Connection(Descriptor descriptor)
      : descriptor_(std::move(descriptor)),
        client_(std::make_unique<AuthClient>(static_cast<uint32_t>(::getpid()))) {}

  Descriptor descriptor_;
  std::unique_ptr<AuthClient> client_;
};

Result<Connection> connect_and_greet(const std::string& socket) {
  auto connection = Connection::open(socket);
  if (!connection) return connection;
  const auto event = connection->next();
  if (!event) return failure(socket + ": " + event.error().message);
  if (!*event) return failure(socket + ": it closed the connection during the handshake");
  if (const auto* broken = std::get_if<dovecot::ProtocolError>(&**event)) {
    return failure(socket + ": no auth socket: " + broken->reason);
  }
  if (!std::holds_alternative<dovecot::ServerReady>(**event)) {
    return failure(socket + ": no auth socket: it answers before it is asked");
  }
  return connection;
}

std::string offered_names(const dovecot::ServerInfo& server) {
  std::string names;
  for (const auto& offer : server.mechanisms) names += (names.empty() ? "" : " ") + offer.name;
  return names;
}

std::string fail_detail(const dovecot::FailReceived& fail) {
  std::string detail;
  switch (fail.code) {
    case dovecot::FailCode::kNone:
      break;
    case dovecot::FailCode::kTempFail:
      detail = "temp_fail";
      break;
    case dovecot::FailCode::kAuthzFail:
      detail = "authz_fail";
      break;
    case dovecot::FailCode::kUserDisabled:
      detail = "user_disabled";
      break;
    case dovecot::FailCode::kPassExpired:
      detail = "pass_expired";
      break;
    case dovecot::FailCode::kInvalidBase64:
      detail = "invalid_base64";
      break;
  }
  if (!fail.reason.empty()) detail += (detail.empty() ? "" : ": ") + fail.reason;
  return detail;
}

// Takes one event of the exchange; true when it is decided.
bool take(const AuthClient::Event& event, ClientMechanism& mechanism, AuthClient& client,
          LoginOutcome& outcome) {
  const auto decided = [&outcome](LoginVerdict verdict, std::string detail) {
    outcome.verdict = verdict;
    outcome.detail = std::move(detail);
    return true;
  };
  if (const auto* challenge = std::get_if<dovecot::ChallengeReceived>(&event)) {
    const auto answer = mechanism.respond(challenge->challenge);
    if (!answer) return decided(LoginVerdict::kRefused, answer.error().message);
    const auto sent = client.respond(challenge->id, answer->reveal());
    if (!sent) return decided(LoginVerdict::kRefused, sent.error().message);
    return false;
  }
  if (const auto* ok = std::get_if<dovecot::OkReceived>(&event)) {
    outcome.account = ok->user;
    return decided(LoginVerdict::kOk, "");
  }
  if (const auto* fail = std::get_if<dovecot::FailReceived>(&event)) {
    outcome.account = fail->user;
    const bool temporary = fail->code == dovecot::FailCode::kTempFail;
    return decided(temporary ? LoginVerdict::kTemporary : LoginVerdict::kRefused,
                   fail_detail(*fail));
  }
  if (const auto* broken = std::get_if<dovecot::ProtocolError>(&event)) {
    return decided(LoginVerdict::kUnreachable, "breaks the auth protocol: " + broken->reason);
  }
  return false;
}

}  // namespace

std::string_view to_string(LoginVerdict verdict) {
  switch (verdict) {
    case LoginVerdict::kOk:
      return "ok";
    case LoginVerdict::kRefused:
      return "refused";
    case LoginVerdict::kTemporary:
      return "temporary";
    case LoginVerdict::kUnreachable:
      return "unreachable";
  }
  return "";
}

Result<std::vector<dovecot::MechanismOffer>> read_offer(const std::string& socket) {
  auto connection = connect_and_greet(socket);
  if (!connection) return tl::unexpected<Error>(connection.error());
  return connection->client().server().mechanisms;
}

LoginOutcome try_login(const std::string& socket, const std::string& mechanism,
                       const Login& login) {
  LoginOutcome outcome;
  outcome.mechanism = mechanism;
  auto connection = connect_and_greet(socket);
  if (!connection) {
    outcome.detail = connection.error().message;
    return outcome;
  }
  AuthClient& client = connection->client();
  outcome.verdict = LoginVerdict::kRefused;
  if (client.server().find(mechanism) == nullptr) {
    outcome.detail = "not offered; there is " + offered_names(client.server());
    return outcome;
  }
  auto played = ClientMechanism::create(mechanism, login.user, login.password);
  if (!played) {
    outcome.detail = played.error().message;
    return outcome;
  }
  const auto initial = played->initial_response();
  dovecot::AuthParameters parameters{.mechanism = mechanism, .rip = login.rip, .lip = login.rip};
  parameters.nologin = true;
  parameters.secured = login.secured ? dovecot::Secured::kYes : dovecot::Secured::kNo;
  if (initial) parameters.initial_response = initial->reveal();
  const auto began = Clock::now();
  const auto id = client.authenticate(parameters);
  if (!id) {
    outcome.detail = id.error().message;
    return outcome;
  }
  for (bool decided = false; !decided;) {
    const auto event = connection->next();
    decided = true;
    if (!event) {
      outcome.verdict = LoginVerdict::kTemporary;
      outcome.detail = event.error().message + ": a mail server hangs up after " +
                       std::to_string(kMtaPatience.count()) + " s";
    } else if (!*event) {
      outcome.verdict = LoginVerdict::kTemporary;
      outcome.detail = "the connection was closed: the daemon has trouble of its own";
    } else {
      decided = take(**event, *played, client, outcome);
    }
  }
  outcome.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began);
  return outcome;
}

}  // namespace saslatch::cli
