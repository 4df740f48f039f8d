#ifndef SASLATCH_DAEMON_CLI_CLIENT_MECHANISM_H_
#define SASLATCH_DAEMON_CLI_CLIENT_MECHANISM_H_

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::cli {

// The client's side of one exchange with PLAIN, LOGIN or CRAM-MD5, as a mail program plays it.
class ClientMechanism {
 public:
  // `mechanism` in upper case; the texts outlive the object. An error for a mechanism that is none
  // of the three.
  static Result<ClientMechanism> create(std::string_view mechanism, std::string_view user,
                                        const Secret& password);

  // What goes along with AUTH: PLAIN's only message. LOGIN and CRAM-MD5 wait to be asked.
  [[nodiscard]] std::optional<Secret> initial_response() const;

  // The answer to a challenge; an error if the server asks once too often.
  Result<Secret> respond(std::string_view challenge);

 private:
  enum class Kind { kPlain, kLogin, kCramMd5 };
  ClientMechanism(Kind kind, std::string_view user, const Secret& password)
      : kind_(kind), user_(user), password_(&password) {}

  Kind kind_;
  std::string_view user_;
  const Secret* password_;
  int asked_ = 0;
};

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_CLIENT_MECHANISM_H_
