#include "tests/bench/conversation.h"

#include <unistd.h>

#include <unordered_map>

#include "protocol/base/crypto/digest.h"
#include "protocol/dovecot/auth_client.h"
#include "protocol/sasl/cram_md5.h"
#include "protocol/sasl/plain.h"
#include "protocol/saslauthd/reply.h"

namespace saslatch::bench {
namespace {

class DovecotConversation final : public Conversation {
 public:
  explicit DovecotConversation(const Options& options)
      : mechanism_(options.mechanism), rip_(options.rip), client_(cpid()) {
    send();
  }

  bool is_ready() const override { return client_.is_ready(); }

  Result<uint32_t> begin(Attempt attempt) override {
    Secret message;
    dovecot::AuthParameters parameters{.mechanism = name_of(mechanism_),
                                       .rip = rip_,
                                       .lip = "127.0.0.1",
                                       .secured = dovecot::Secured::kYes,
                                       .nologin = true};
    if (mechanism_ == Mechanism::kPlain) {
      message = sasl::make_plain({"", attempt.user, attempt.password});
      parameters.initial_response = message.reveal();
    }
    const auto id = client_.authenticate(parameters);
    if (!id) return id;
    if (mechanism_ != Mechanism::kPlain) in_flight_[*id] = {std::move(attempt), 0};
    send();
    return id;
  }

  Result<void> receive(std::string_view bytes, std::vector<Answer>& answers) override {
    client_.receive(bytes);
    while (const auto event = client_.next()) {
      const auto taken = std::visit([&](const auto& e) { return take(e, answers); }, *event);
      if (!taken) return taken;
    }
    send();
    return {};
  }

 private:
  struct InFlight {
    Attempt attempt;
    int responses = 0;
  };

  static uint32_t cpid() { return static_cast<uint32_t>(getpid()); }

  Result<void> take(const dovecot::ServerReady&, std::vector<Answer>&) const {
    if (client_.server().find(name_of(mechanism_)) != nullptr) return {};
    return failure(std::string(name_of(mechanism_)) + " is not offered");
  }

  Result<void> take(const dovecot::ChallengeReceived& challenge, std::vector<Answer>&) {
    const auto found = in_flight_.find(challenge.id);
    if (found == in_flight_.end()) return failure("a challenge where the mechanism has none");
    const Attempt& attempt = found->second.attempt;
    if (mechanism_ == Mechanism::kCramMd5) {
      const std::string digest = hmac(Hash::kMd5, attempt.password, challenge.challenge);
      return client_.respond(challenge.id, sasl::make_cram_md5_response(attempt.user, digest));
    }
    const bool asks_name = found->second.responses++ == 0;
    return client_.respond(challenge.id, asks_name ? attempt.user : attempt.password);
  }

  Result<void> take(const dovecot::OkReceived& ok, std::vector<Answer>& answers) {
    return finish({ok.id, true}, answers);
  }
  Result<void> take(const dovecot::FailReceived& fail, std::vector<Answer>& answers) {
    return finish({fail.id, false}, answers);
  }
  Result<void> take(const dovecot::ProtocolError& error, std::vector<Answer>&) const {
    return failure(error.reason);
  }

  Result<void> finish(Answer answer, std::vector<Answer>& answers) {
    in_flight_.erase(answer.id);
    answers.push_back(answer);
    return {};
  }

  void send() { output() += client_.take_output().reveal(); }

  const Mechanism mechanism_;
  const std::string rip_;
  dovecot::AuthClient client_;
  std::unordered_map<uint32_t, InFlight> in_flight_;  // those whose mechanism has challenges
};

class SaslauthdConversation final : public Conversation {
 public:
  explicit SaslauthdConversation(const Options& options) : rip_(IpAddress::parse(options.rip)) {}

  bool is_ready() const override { return true; }

  Result<uint32_t> begin(Attempt attempt) override {
    // As libsasl2 does: what follows the last @ is the realm.
    const size_t at = attempt.user.rfind('@');
    const bool has_realm = at != std::string::npos;
    const auto request = saslauthd::encode_request({
        .login = has_realm ? attempt.user.substr(0, at) : attempt.user,
        .password = Secret(attempt.password),
        .service = "smtp",
        .realm = has_realm ? attempt.user.substr(at + 1) : "",
        .rip = rip_,
    });
    if (!request) return tl::unexpected(request.error());
    output() += request->reveal();
    return kId;
  }

  Result<void> receive(std::string_view bytes, std::vector<Answer>& answers) override {
    const auto reply = parser_.receive(bytes);
    if (!reply) return tl::unexpected(reply.error());
    if (*reply) answers.push_back({kId, (*reply)->ok});
    return {};
  }

 private:
  static constexpr uint32_t kId = 1;  // one login a connection

  const std::optional<IpAddress> rip_;
  saslauthd::ReplyParser parser_;
};

}  // namespace

std::unique_ptr<Conversation> make_conversation(const Options& options) {
  switch (options.protocol) {
    case Protocol::kDovecot:
      return std::make_unique<DovecotConversation>(options);
    case Protocol::kSaslauthd:
      return std::make_unique<SaslauthdConversation>(options);
  }
  return nullptr;
}

}  // namespace saslatch::bench
