#include "daemon/cli/test_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "daemon/cli/format.h"
#include "daemon/cli/mta_client.h"
#include "daemon/cli/secret_input.h"
#include "daemon/cli/settings.h"
#include "protocol/base/ip_address.h"

namespace saslatch::cli {
namespace {

// From here it is the webmail next door: [policy] shared, counted for the account only.
constexpr const char* kDefaultRip = "127.0.0.1";

// The socket of --socket, or of the first listener that a mail server would use.
Result<std::string> socket_of(const Invocation& invocation, const Settings& settings) {
  if (const auto given = invocation.value("socket")) return *given;
  for (const config::ListenConfig& listener : settings.config.listen) {
    if (listener.protocol == config::ListenProtocol::kDovecot) {
      return config::to_string(listener.socket);
    }
  }
  return failure("the configuration has no listener with protocol = dovecot; name one by --socket");
}

Result<std::vector<std::string>> mechanisms_of(const Invocation& invocation,
                                               const std::string& socket) {
  std::vector<std::string> mechanisms;
  for (const std::string& given : invocation.values("mechanism")) {
    mechanisms.push_back(upper_case(given));
  }
  if (!mechanisms.empty()) return mechanisms;
  const auto offer = read_offer(socket);
  if (!offer) return tl::unexpected<Error>(offer.error());
  for (const auto& mechanism : *offer) mechanisms.push_back(mechanism.name);
  return mechanisms;
}

std::string milliseconds(std::chrono::microseconds took) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(took.count()) / 1000);
  return text;
}

Tone tone_of(LoginVerdict verdict) {
  switch (verdict) {
    case LoginVerdict::kOk:
      return Tone::kGood;
    case LoginVerdict::kTemporary:
      return Tone::kWarning;
    case LoginVerdict::kRefused:
    case LoginVerdict::kUnreachable:
      break;
  }
  return Tone::kBad;
}

// The worst outcome decides: a script that asks for three mechanisms wants three.
ExitCode exit_of(const std::vector<LoginOutcome>& outcomes) {
  const auto any = [&](LoginVerdict verdict) {
    return std::any_of(outcomes.begin(), outcomes.end(),
                       [&](const LoginOutcome& o) { return o.verdict == verdict; });
  };
  if (any(LoginVerdict::kUnreachable)) return ExitCode::kUnreachable;
  if (any(LoginVerdict::kTemporary)) return ExitCode::kTemporary;
  return any(LoginVerdict::kRefused) ? ExitCode::kPermission : ExitCode::kOk;
}

void show(const std::vector<LoginOutcome>& outcomes, const std::string& socket, Console& console) {
  Json documents = Json::array();
  Table table({"MECHANISM", "RESULT", "TIME", "DETAIL"}, {2});
  for (const LoginOutcome& outcome : outcomes) {
    documents.push_back({{"mechanism", outcome.mechanism},
                         {"result", to_string(outcome.verdict)},
                         {"account", outcome.account},
                         {"detail", outcome.detail},
                         {"took_us", outcome.took.count()}});
    const std::string detail =
        outcome.verdict == LoginVerdict::kOk ? "user=" + outcome.account : outcome.detail;
    table.add({{outcome.mechanism},
               {std::string(to_string(outcome.verdict)), tone_of(outcome.verdict)},
               {milliseconds(outcome.took)},
               {detail}});
  }
  if (console.style().json) {
    console.print(Json{{"socket", socket}, {"results", std::move(documents)}});
  } else if (!console.style().quiet) {
    console.print(table);
  }
}

}  // namespace

ExitCode test_login(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  const auto settings = load_settings(invocation, console, exit);
  if (!settings) return exit;
  const auto socket = socket_of(invocation, *settings);
  if (!socket) return console.fail(ExitCode::kConfig, socket.error().message);
  const std::string rip = invocation.value("rip").value_or(kDefaultRip);
  if (!IpAddress::parse(rip)) {
    return console.fail(ExitCode::kUsage, "--rip takes an IPv4 or IPv6 address");
  }
  // Before the password is asked for.
  const auto mechanisms = mechanisms_of(invocation, *socket);
  if (!mechanisms) return console.fail(ExitCode::kUnreachable, mechanisms.error().message);
  const std::string& user = invocation.arguments[0];
  const auto password = invocation.has("password-stdin")
                            ? read_password_line(STDIN_FILENO)
                            : prompt_password("Password of " + printable(user) + ": ", false);
  if (!password) return console.fail(ExitCode::kBadData, password.error().message);

  const Login login{user, *password, rip, !invocation.has("clear")};
  std::vector<LoginOutcome> outcomes;
  for (const std::string& mechanism : *mechanisms) {
    outcomes.push_back(try_login(*socket, mechanism, login));
  }
  show(outcomes, *socket, console);
  return exit_of(outcomes);
}

}  // namespace saslatch::cli
