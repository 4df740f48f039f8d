#include "protocol/sasl/login.h"

#include <string>

#include "protocol/sasl/rules.h"

namespace saslatch::sasl {
namespace {

// What Dovecot sends. The draft has other words, and some clients compare: do not tidy them.
constexpr std::string_view kNamePrompt = "Username:";
constexpr std::string_view kPasswordPrompt = "Password:";

class Login final : public ServerMechanism {
 public:
  Step start(std::optional<std::string_view> initial_response) override {
    if (state_ != State::kFresh) return over(Refusal::kOutOfTurn);
    Step asked = ask(State::kAskedName, kNamePrompt);
    // doveadm of Dovecot 2.4 sends an empty initial response where it means none.
    if (!initial_response || initial_response->empty()) return asked;
    return respond(*initial_response);
  }

  Step respond(std::string_view response) override {
    switch (state_) {
      case State::kAskedName:
        if (!is_valid_authcid(response)) return over(Refusal::kMalformed);
        authcid_ = response;
        return ask(State::kAskedPassword, kPasswordPrompt);
      case State::kAskedPassword:
        if (!is_valid_password(response)) return over(Refusal::kMalformed);
        state_ = State::kVerifying;
        return VerifyPassword{authcid_, "", Secret(response)};
      case State::kFresh:
      case State::kVerifying:
      case State::kOver:
        break;
    }
    return over(Refusal::kOutOfTurn);
  }

  Step verdict(Verdict verdict) override {
    if (state_ != State::kVerifying) return over(Refusal::kOutOfTurn);
    state_ = State::kOver;
    return conclude(verdict, authcid_, "");
  }

  [[nodiscard]] std::string_view authcid() const override { return authcid_; }

 private:
  enum class State { kFresh, kAskedName, kAskedPassword, kVerifying, kOver };

  Step ask(State next, std::string_view prompt) {
    state_ = next;
    return Challenge{std::string(prompt)};
  }

  Step over(Refusal why) {
    state_ = State::kOver;
    return Failure{why, authcid_};
  }

  State state_ = State::kFresh;
  std::string authcid_;
};

std::unique_ptr<ServerMechanism> make(const ExchangeContext&) { return std::make_unique<Login>(); }

Result<void> check_message(size_t index, std::string_view message) {
  if (index > 1) return failure("LOGIN has two client messages");
  if (index == 0 && !is_valid_authcid(message)) {
    return failure("LOGIN name is empty, not UTF-8, has a NUL byte or exceeds " +
                   std::to_string(kMaxName) + " bytes");
  }
  if (index == 1 && !is_valid_password(message)) {
    return failure("LOGIN password is empty, has a NUL byte or exceeds " +
                   std::to_string(kMaxPassword) + " bytes");
  }
  return {};
}

}  // namespace

MechanismInfo login_mechanism() {
  return {.name = "LOGIN",
          .plaintext = true,
          .first_turn = FirstTurn::kVariable,
          .shows_password = true,
          .make = make,
          .check_message = check_message};
}

}  // namespace saslatch::sasl
