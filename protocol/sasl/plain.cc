#include "protocol/sasl/plain.h"

#include <optional>
#include <string>

#include "protocol/sasl/rules.h"

namespace saslatch::sasl {
namespace {

std::optional<PlainMessage> split(std::string_view message) {
  const size_t first = message.find('\0');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = message.find('\0', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  return PlainMessage{message.substr(0, first), message.substr(first + 1, second - first - 1),
                      message.substr(second + 1)};
}

class Plain final : public ServerMechanism {
 public:
  Step start(std::optional<std::string_view> initial_response) override {
    if (state_ != State::kFresh) return over(Refusal::kOutOfTurn);
    state_ = State::kAsked;
    // RFC 4422, section 5.1: an empty challenge asks for what should have come with the request.
    return initial_response ? respond(*initial_response) : Challenge{};
  }

  Step respond(std::string_view response) override {
    if (state_ != State::kAsked) return over(Refusal::kOutOfTurn);
    const auto message = parse_plain(response);
    if (!message) {
      if (const auto parts = split(response); parts && is_valid_authcid(parts->authcid)) {
        authcid_ = parts->authcid;  // for the log: the name was read, the rest is wrong
      }
      return over(Refusal::kMalformed);
    }
    authcid_ = message->authcid;
    // chasquid and doveadm send the name twice; that is nobody acting for somebody else.
    if (message->authzid != message->authcid) authzid_ = message->authzid;
    state_ = State::kVerifying;
    return VerifyPassword{authcid_, authzid_, Secret(message->password)};
  }

  Step verdict(Verdict verdict) override {
    if (state_ != State::kVerifying) return over(Refusal::kOutOfTurn);
    state_ = State::kOver;
    return conclude(verdict, authcid_, authzid_);
  }

  [[nodiscard]] std::string_view authcid() const override { return authcid_; }

 private:
  enum class State { kFresh, kAsked, kVerifying, kOver };

  Step over(Refusal why) {
    state_ = State::kOver;
    return Failure{why, authcid_};
  }

  State state_ = State::kFresh;
  std::string authcid_;
  std::string authzid_;
};

std::unique_ptr<ServerMechanism> make(const ExchangeContext&) { return std::make_unique<Plain>(); }

Result<void> check_message(size_t index, std::string_view message) {
  if (index > 0) return failure("PLAIN has one client message");
  const auto parsed = parse_plain(message);
  if (!parsed) return tl::unexpected(parsed.error());
  return {};
}

}  // namespace

Result<PlainMessage> parse_plain(std::string_view message) {
  const auto parts = split(message);
  if (!parts) return failure("PLAIN message with fewer than two NUL bytes");
  if (!parts->authzid.empty() && !is_valid_authcid(parts->authzid)) {
    return failure("PLAIN authzid is not UTF-8 or exceeds " + std::to_string(kMaxName) + " bytes");
  }
  if (!is_valid_authcid(parts->authcid)) {
    return failure("PLAIN authcid is empty, not UTF-8 or exceeds " + std::to_string(kMaxName) +
                   " bytes");
  }
  if (!is_valid_password(parts->password)) {
    return failure("PLAIN password is empty, has a NUL byte or exceeds " +
                   std::to_string(kMaxPassword) + " bytes");
  }
  return *parts;
}

Secret make_plain(const PlainMessage& parts) {
  std::string message;
  // At once in full: growing would leave a copy of the password behind.
  message.reserve(parts.authzid.size() + parts.authcid.size() + parts.password.size() + 2);
  message.append(parts.authzid).push_back('\0');
  message.append(parts.authcid).push_back('\0');
  message.append(parts.password);
  return Secret::take(message);
}

MechanismInfo plain_mechanism() {
  return {.name = "PLAIN",
          .plaintext = true,
          .first_turn = FirstTurn::kClientFirst,
          .shows_password = true,
          .make = make,
          .check_message = check_message};
}

}  // namespace saslatch::sasl
