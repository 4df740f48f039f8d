#ifndef SASLATCH_DAEMON_CLI_CONTROL_CLIENT_H_
#define SASLATCH_DAEMON_CLI_CONTROL_CLIENT_H_

#include <chrono>
#include <optional>
#include <string>

#include "daemon/cli/console.h"
#include "daemon/cli/descriptor.h"

namespace saslatch::cli {

// Why a daemon gave no answer, or refused: the sentence for the administrator and what to exit
// with. `reply` is the daemon's whole answer, where there is one.
struct ControlError {
  ExitCode exit = ExitCode::kUnreachable;
  std::string message;
  Json reply;
};

// A connection to the daemon's control socket, RUN-DIR/control. Blocks; one request at a time.
class ControlClient {
 public:
  // A reload may load large passwd-files, and it answers when it is done.
  static constexpr std::chrono::seconds kPatience{60};
  // A reply is one line; a million locks are not listed in one.
  static constexpr size_t kMaxReply = 256 << 20;

  // `socket` is the path. Errors: kUnreachable (no daemon there), kPermission.
  static tl::expected<ControlClient, ControlError> connect(const std::string& socket);

  // The reply to {"command": command, ...more}, an object with "ok": true.
  tl::expected<Json, ControlError> ask(const std::string& command,
                                       const Json& more = Json::object());

 private:
  ControlClient(Descriptor descriptor, std::string socket)
      : descriptor_(std::move(descriptor)), socket_(std::move(socket)) {}

  Descriptor descriptor_;
  std::string socket_;
  std::string unread_;  // what came behind the last reply
};

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_CONTROL_CLIENT_H_
