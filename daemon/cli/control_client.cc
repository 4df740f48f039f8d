#include "daemon/cli/control_client.h"

#include <cerrno>
#include <utility>

namespace saslatch::cli {
namespace {

tl::unexpected<ControlError> failed(ExitCode exit, std::string message) {
  return tl::unexpected<ControlError>(ControlError{exit, std::move(message), {}});
}

// The daemon names the sysexits value; whatever else it may say is a fault.
ExitCode exit_of(const Json& reply) {
  const auto found = reply.find("exit");
  const int value = found != reply.end() && found->is_number_integer() ? found->get<int>() : 0;
  for (const ExitCode code : {ExitCode::kUsage, ExitCode::kBadData, ExitCode::kCantCreate,
                              ExitCode::kTemporary, ExitCode::kPermission, ExitCode::kConfig}) {
    if (value == to_int(code)) return code;
  }
  return ExitCode::kInternal;
}

std::string error_of(const Json& reply) {
  const auto found = reply.find("error");
  return found != reply.end() && found->is_string() ? found->get<std::string>()
                                                    : "the daemon refused without a reason";
}

}  // namespace

tl::expected<ControlClient, ControlError> ControlClient::connect(const std::string& socket) {
  auto descriptor = connect_to(socket, std::chrono::steady_clock::now() + kPatience);
  if (descriptor) return ControlClient(std::move(*descriptor), socket);
  const std::string& why = descriptor.error().message;
  if (descriptor.error().number == EACCES || descriptor.error().number == EPERM) {
    return failed(ExitCode::kPermission,
                  "may not use the control socket " + why + "; run this as root");
  }
  return failed(ExitCode::kUnreachable, "no saslatchd answers at " + why +
                                            "; is it running (systemctl status saslatchd), "
                                            "and with this configuration?");
}

tl::expected<Json, ControlError> ControlClient::ask(const std::string& command, const Json& more) {
  Json request{{"command", command}};
  request.update(more);
  const Deadline deadline = std::chrono::steady_clock::now() + kPatience;
  const auto lost = [this](const std::string& why) {
    return failed(ExitCode::kUnreachable, "saslatchd at " + socket_ + " gave no answer: " + why);
  };
  const auto sent = write_all(
      descriptor_, request.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n', deadline);
  if (!sent) return lost(sent.error().message);
  size_t searched = 0;  // a long reply is not searched from its beginning for each piece
  size_t end = std::string::npos;
  while ((end = unread_.find('\n', searched)) == std::string::npos) {
    searched = unread_.size();
    if (unread_.size() > kMaxReply) return lost("it does not end");
    const auto more_came = read_some(descriptor_, unread_, deadline);
    if (!more_came) return lost(more_came.error().message);
    if (!*more_came) return lost("it closed the connection");
  }
  Json reply = Json::parse(unread_.substr(0, end), nullptr, false);
  unread_.erase(0, end + 1);
  const auto ok = reply.is_object() ? reply.find("ok") : reply.end();
  if (!reply.is_object() || ok == reply.end() || !ok->is_boolean()) {
    return failed(ExitCode::kInternal, "the answer at " + socket_ + " is not saslatchd's");
  }
  if (ok->get<bool>()) return reply;
  const ExitCode exit = exit_of(reply);
  std::string message = error_of(reply);
  return tl::unexpected<ControlError>(ControlError{exit, std::move(message), std::move(reply)});
}

}  // namespace saslatch::cli
