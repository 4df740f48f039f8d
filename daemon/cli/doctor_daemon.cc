#include <sys/stat.h>
#include <sys/timex.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "daemon/cli/control_client.h"
#include "daemon/cli/descriptor.h"
#include "daemon/cli/doctor.h"
#include "daemon/cli/format.h"
#include "daemon/cli/mta_client.h"

namespace saslatch::cli {
namespace {

constexpr const char* kStart =
    "start it: systemctl start saslatchd; why it stopped: journalctl -u saslatchd";

// The health that the daemon itself tells.
void judge_status(const Json& status, Findings& findings) {
  findings.push_back({"daemon", Health::kOk,
                      "saslatchd " + text_field(status, "version") + " runs, pid " +
                          std::to_string(number_field(status, "pid")),
                      ""});
  for (const Json& passdb : part(status, "passdbs")) {
    if (bool_field(passdb, "available")) continue;
    findings.push_back(
        {"daemon", Health::kFail,
         "passdb " + text_field(passdb, "name") + " is down: " + text_field(passdb, "trouble"),
         "logins get a temporary answer until it can be read"});
  }
  for (const char* store : {"state", "audit"}) {
    const Json& about = part(status, store);
    if (bool_field(about, "healthy")) continue;
    findings.push_back({"daemon", Health::kFail,
                        std::string(store) + " cannot be written: " + text_field(about, "trouble"),
                        "free the disk or mend the rights of " + text_field(about, "path")});
  }
}

std::vector<GivenSocket> given_sockets(const Json& status) {
  std::vector<GivenSocket> given;
  for (const Json& listener : part(status, "listeners")) {
    if (!bool_field(listener, "inherited")) continue;
    for (const Json& address : part(listener, "addresses")) {
      if (!address.is_string()) continue;
      given.push_back({text_field(listener, "name"), address.get<std::string>()});
    }
  }
  return given;
}

std::optional<UserIds> owner_of(const std::string& path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0) return std::nullopt;
  return find_user(about.st_uid);
}

// Somebody who should be able to connect. A guess is only worth a warning.
struct Caller {
  UserIds user;
  bool is_guess = false;
};

// The users of mail servers, by Debian's names and others'.
constexpr std::array<const char*, 4> kMailServers = {"postfix", "Debian-exim", "exim", "chasquid"};

bool owns_a_socket(const Patient& patient, const UserIds& user) {
  for (const config::ListenConfig& listener : patient.settings.config.listen) {
    if (listener.owner == user.name) return true;
  }
  return std::any_of(patient.given.begin(), patient.given.end(),
                     [&user](const GivenSocket& socket) {
                       const auto owner = owner_of(socket.address);
                       return owner && owner->uid == user.uid;
                     });
}

// Who a socket's path is for: its owner, by its listener or by its socket unit; for one that is the
// daemon's own, the mail servers of this machine that have none for themselves.
std::vector<Caller> callers(const Patient& patient, const config::ListenConfig& listener,
                            const std::string& path, bool is_given) {
  const auto owner = is_given                 ? owner_of(path)
                     : listener.owner.empty() ? std::nullopt
                                              : find_user(listener.owner);
  const bool is_own = !owner || (patient.daemon_user && owner->uid == patient.daemon_user->uid);
  if (!is_own) return {{*owner, false}};
  std::vector<Caller> guessed;
  for (const char* name : kMailServers) {
    const auto user = find_user(name);
    if (user && !owns_a_socket(patient, *user)) guessed.push_back({*user, true});
  }
  return guessed;
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", mode & 07777u);
  return text;
}

void check_rights(const config::ListenConfig& listener, const std::string& path,
                  const struct stat& about, Findings& findings) {
  if ((about.st_mode & 07777u) != listener.mode) {
    findings.push_back(
        {"socket", Health::kWarn,
         path + " has mode " + octal(about.st_mode) + " instead of " + octal(listener.mode),
         "restart saslatchd, or set SocketMode= of its socket unit"});
  }
  const auto owner = listener.owner.empty() ? std::nullopt : find_user(listener.owner);
  if (owner && owner->uid != about.st_uid) {
    findings.push_back({"socket", Health::kWarn, path + " does not belong to " + listener.owner,
                        "restart saslatchd, or set SocketUser= of its socket unit"});
  }
}

// Whether the mail server's user gets through to the socket.
void check_reach(const Patient& patient, const config::ListenConfig& listener,
                 const std::string& address, bool is_given, const Caller& caller,
                 Findings& findings) {
  const std::string& name = caller.user.name;
  if (!patient.is_root) {
    findings.push_back({"socket", Health::kWarn,
                        "not checked whether user " + name + " reaches " + address,
                        "run doctor as root"});
    return;
  }
  const int error = probe_as(caller.user, [&address] {
    const auto connected =
        connect_to(address, std::chrono::steady_clock::now() + std::chrono::seconds(5));
    return connected ? 0 : connected.error().number;
  });
  if (error == 0) {
    findings.push_back({"socket", Health::kOk, address + " is open to user " + name, ""});
  } else if (error > 0) {
    const std::string mend = is_given
                                 ? "let it into the socket's group (usermod -aG) and restart it"
                                 : "set owner, group and mode in [listen." + listener.name +
                                       "], and let the user into every directory of the path";
    findings.push_back(
        {"socket", caller.is_guess ? Health::kWarn : Health::kFail,
         "user " + name + " cannot connect to " + address + ": " + std::strerror(error),
         caller.is_guess ? mend + ", if it should ask saslatchd" : mend});
  }
}

void check_handshake(const config::ListenConfig& listener, const std::string& address,
                     const Patient& patient, Findings& findings) {
  const auto offer = read_offer(address);
  if (!offer) {
    findings.push_back({"handshake", Health::kFail, offer.error().message, kStart});
    return;
  }
  std::string names;
  std::vector<std::string> offered;
  for (const auto& mechanism : *offer) {
    names += (names.empty() ? "" : " ") + mechanism.name;
    offered.push_back(mechanism.name);
  }
  if (offered == patient.settings.config.mechanisms.offer) {
    findings.push_back({"handshake", Health::kOk, address + " offers " + names, ""});
  } else {
    findings.push_back(
        {"handshake", Health::kWarn,
         "[listen." + listener.name + "] offers " + names + ", which is not what [mechanisms] says",
         "saslatch reload; mail servers see it when they connect anew"});
  }
}

void check_socket(const Patient& patient, const config::ListenConfig& listener,
                  const std::string& address, bool is_given, Findings& findings) {
  const bool is_path = address.rfind('/', 0) == 0;
  if (is_path) {
    struct stat about {};
    if (::lstat(address.c_str(), &about) != 0) {
      const bool absent = errno == ENOENT;
      findings.push_back({"socket", absent ? Health::kFail : Health::kWarn,
                          address + ": " + std::strerror(errno),
                          absent ? kStart : "run doctor as root"});
      return;
    }
    if (!S_ISSOCK(about.st_mode)) {
      findings.push_back({"socket", Health::kFail, address + " is no socket",
                          "move the file away and restart saslatchd"});
      return;
    }
    if (!is_given) check_rights(listener, address, about, findings);
    for (const Caller& caller : callers(patient, listener, address, is_given)) {
      check_reach(patient, listener, address, is_given, caller, findings);
    }
  }
  if (listener.protocol == config::ListenProtocol::kDovecot) {
    check_handshake(listener, address, patient, findings);
  }
}

}  // namespace

void check_daemon(Patient& patient, Findings& findings) {
  auto client = ControlClient::connect(patient.settings.control_socket());
  if (!client) {
    const bool forbidden = client.error().exit == ExitCode::kPermission;
    findings.push_back({"daemon", forbidden ? Health::kWarn : Health::kFail, client.error().message,
                        forbidden ? "run doctor as root" : kStart});
    return;
  }
  const auto status = client->ask("status");
  if (status) {
    judge_status(*status, findings);
    patient.given = given_sockets(*status);
  } else {
    findings.push_back({"daemon", Health::kFail, status.error().message, kStart});
  }
}

void check_sockets(const Patient& patient, Findings& findings) {
  for (const config::ListenConfig& listener : patient.settings.config.listen) {
    bool any_given = false;
    for (const GivenSocket& socket : patient.given) {
      if (socket.listener != listener.name) continue;
      any_given = true;
      check_socket(patient, listener, socket.address, true, findings);
    }
    if (!any_given) {
      check_socket(patient, listener, config::to_string(listener.socket), false, findings);
    }
  }
}

void check_clock(Findings& findings) {
  // Before this program was written: a machine without a battery that has not yet found its time.
  constexpr auto kPlausible = std::chrono::sys_days(std::chrono::year(2025) / 1 / 1);
  if (std::chrono::system_clock::now() < kPlausible) {
    findings.push_back({"clock", Health::kFail, "the clock is years behind",
                        "set it and run a time service: stored locks are in wall clock time"});
    return;
  }
  timex clock{};
  const bool synchronised = ::adjtimex(&clock) >= 0 && (clock.status & STA_UNSYNC) == 0;
  if (synchronised) {
    findings.push_back({"clock", Health::kOk, "the clock is synchronised", ""});
  } else {
    findings.push_back({"clock", Health::kWarn, "no time service has set the clock",
                        "run one (systemd-timesyncd, chrony): the audit log's times depend on it"});
  }
}

}  // namespace saslatch::cli
