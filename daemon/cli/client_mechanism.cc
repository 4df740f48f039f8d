#include "daemon/cli/client_mechanism.h"

#include "protocol/base/crypto/cram_md5_context.h"
#include "protocol/sasl/cram_md5.h"
#include "protocol/sasl/plain.h"

namespace saslatch::cli {

Result<ClientMechanism> ClientMechanism::create(std::string_view mechanism, std::string_view user,
                                                const Secret& password) {
  if (mechanism == "PLAIN") return ClientMechanism(Kind::kPlain, user, password);
  if (mechanism == "LOGIN") return ClientMechanism(Kind::kLogin, user, password);
  if (mechanism == "CRAM-MD5") return ClientMechanism(Kind::kCramMd5, user, password);
  return failure(
      "saslatch cannot play the client of this mechanism; it can PLAIN, LOGIN, CRAM-MD5");
}

std::optional<Secret> ClientMechanism::initial_response() const {
  if (kind_ != Kind::kPlain) return std::nullopt;
  return sasl::make_plain({"", user_, password_->reveal()});
}

Result<Secret> ClientMechanism::respond(std::string_view challenge) {
  ++asked_;
  if (kind_ == Kind::kLogin && asked_ == 1) return Secret(user_);
  if (kind_ == Kind::kLogin && asked_ == 2) return password_->clone();
  if (kind_ == Kind::kCramMd5 && asked_ == 1) {
    const auto context = CramMd5Context::from_password(password_->reveal());
    return Secret(sasl::make_cram_md5_response(user_, context.hmac(challenge)));
  }
  return failure("the server asks for more than the mechanism has");
}

}  // namespace saslatch::cli
