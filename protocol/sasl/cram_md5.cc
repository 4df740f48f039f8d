#include "protocol/sasl/cram_md5.h"

#include <utility>

#include "protocol/base/base64.h"
#include "protocol/sasl/rules.h"

namespace saslatch::sasl {
namespace {

constexpr size_t kHexDigits = 32;  // of an MD5 digest

// <random.time@host>, an RFC 822 msg-id as RFC 2195, section 2, wants it. 19 digits are what 63
// random bits give; a challenge that repeats would let an old response in.
std::string make_challenge(const ExchangeContext& context) {
  constexpr uint64_t kBound = 10'000'000'000'000'000'000u;
  constexpr size_t kDigits = 19;
  const std::string digits = std::to_string(context.random.below(kBound));
  const std::string time = std::to_string(context.unix_time);
  std::string challenge;
  challenge.reserve(kDigits + time.size() + context.hostname.size() + sizeof "<.@>");
  challenge.append("<").append(kDigits - digits.size(), '0').append(digits);
  challenge.append(".").append(time).append("@").append(context.hostname).append(">");
  return challenge;
}

class CramMd5 final : public ServerMechanism {
 public:
  explicit CramMd5(std::string challenge) : challenge_(std::move(challenge)) {}

  Step start(std::optional<std::string_view>) override {
    if (state_ != State::kFresh) return over(Refusal::kOutOfTurn);
    state_ = State::kAsked;
    return Challenge{challenge_};
  }

  Step respond(std::string_view response) override {
    if (state_ != State::kAsked) return over(Refusal::kOutOfTurn);
    auto parsed = parse_cram_md5_response(response);
    if (!parsed) return over(Refusal::kMalformed);
    authcid_ = parsed->authcid;
    state_ = State::kVerifying;
    return VerifyCramMd5{authcid_, challenge_, std::move(parsed->digest)};
  }

  Step verdict(Verdict verdict) override {
    if (state_ != State::kVerifying) return over(Refusal::kOutOfTurn);
    state_ = State::kOver;
    return conclude(verdict, authcid_, "");
  }

  [[nodiscard]] std::string_view authcid() const override { return authcid_; }

 private:
  enum class State { kFresh, kAsked, kVerifying, kOver };

  Step over(Refusal why) {
    state_ = State::kOver;
    return Failure{why, authcid_};
  }

  State state_ = State::kFresh;
  std::string challenge_;
  std::string authcid_;
};

std::unique_ptr<ServerMechanism> make(const ExchangeContext& context) {
  return std::make_unique<CramMd5>(make_challenge(context));
}

Result<void> check_message(size_t index, std::string_view message) {
  if (index > 0) return failure("CRAM-MD5 has one client message");
  const auto parsed = parse_cram_md5_response(message);
  if (!parsed) return tl::unexpected(parsed.error());
  return {};
}

}  // namespace

Result<CramMd5Response> parse_cram_md5_response(std::string_view message) {
  const size_t space = message.rfind(' ');
  if (space == std::string_view::npos) {
    return failure("CRAM-MD5 response without a space between name and digest");
  }
  const std::string_view name = message.substr(0, space);
  const std::string_view hex = message.substr(space + 1);
  if (!is_valid_authcid(name)) {
    return failure("CRAM-MD5 name is empty, not UTF-8, has a NUL byte or exceeds " +
                   std::to_string(kMaxName) + " bytes");
  }
  auto digest = hex.size() == kHexDigits ? hex_decode(hex) : std::nullopt;
  if (!digest) {
    return failure("CRAM-MD5 digest is not " + std::to_string(kHexDigits) + " hexadecimal digits");
  }
  return CramMd5Response{name, std::move(*digest)};
}

std::string make_cram_md5_response(std::string_view authcid, std::string_view digest) {
  return std::string(authcid) + " " + hex_encode(digest);
}

MechanismInfo cram_md5_mechanism() {
  return {.name = "CRAM-MD5",
          .dictionary = true,
          .active = true,
          .first_turn = FirstTurn::kServerFirst,
          .make = make,
          .check_message = check_message};
}

}  // namespace saslatch::sasl
