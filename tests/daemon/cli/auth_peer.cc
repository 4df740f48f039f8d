#include <map>

#include "protocol/base/crypto/cram_md5_context.h"
#include "protocol/dovecot/auth_server.h"
#include "protocol/sasl/mechanisms.h"
#include "tests/daemon/cli/socket_server.h"

namespace saslatch::cli {
namespace {

constexpr std::string_view kPassword = "secret";

class FixedRandom final : public Random {
 public:
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = 7;
  }
};

dovecot::ServerHandshake handshake() {
  dovecot::ServerHandshake handshake{};
  for (const sasl::MechanismInfo& mechanism : sasl::known_mechanisms()) {
    handshake.mechanisms.push_back({.name = std::string(mechanism.name)});
  }
  handshake.spid = 1;
  handshake.cuid = 1;
  return handshake;
}

class AuthPeer final : public Peer {
 public:
  AuthPeer() : server_(handshake()) {}

  std::string greet() override { return server_.take_output(); }

  std::string receive(std::string_view bytes) override {
    server_.receive(bytes);
    while (auto event = server_.next()) {
      if (auto* auth = std::get_if<dovecot::AuthRequest>(&*event)) begin(*auth);
      if (auto* more = std::get_if<dovecot::ContinueRequest>(&*event)) {
        take(more->id, exchanges_.at(more->id)->respond(more->response.reveal()));
      }
    }
    return over_ ? "" : server_.take_output();
  }

  bool is_over() override { return over_; }

 private:
  void begin(dovecot::AuthRequest& auth) {
    if (auth.secured == dovecot::Secured::kNo) {
      server_.fail(auth.id, {});
      return;
    }
    for (const sasl::MechanismInfo& info : sasl::known_mechanisms()) {
      if (info.name != auth.mechanism) continue;
      exchanges_[auth.id] = info.make({random_, "mail.example.org", 1'782'898'200});
      std::optional<std::string_view> initial;
      if (auth.initial_response) initial = auth.initial_response->reveal();
      take(auth.id, exchanges_[auth.id]->start(initial));
    }
  }

  void take(uint32_t id, const sasl::Step& step) {
    if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
      server_.challenge(id, challenge->bytes);
    } else if (const auto* password = std::get_if<sasl::VerifyPassword>(&step)) {
      decide(id, password->authcid, password->password.reveal() == kPassword);
    } else if (const auto* digest = std::get_if<sasl::VerifyCramMd5>(&step)) {
      const auto context = CramMd5Context::from_password(kPassword);
      decide(id, digest->authcid, context.hmac(digest->challenge) == digest->digest);
    } else {
      server_.fail(id, {});
    }
  }

  void decide(uint32_t id, const std::string& user, bool right) {
    if (user.rfind("busy@", 0) == 0) {
      over_ = true;
    } else if (user.rfind("tired@", 0) == 0) {
      server_.fail(id, {.user = user, .code = dovecot::FailCode::kTempFail});
    } else if (user == "alice" && right) {
      server_.ok(id, {.user = user});
    } else {
      server_.fail(id, {.user = user});
    }
  }

  dovecot::AuthServer server_;
  FixedRandom random_;
  std::map<uint32_t, std::unique_ptr<sasl::ServerMechanism>> exchanges_;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<Peer> make_auth_peer() { return std::make_unique<AuthPeer>(); }

}  // namespace saslatch::cli
