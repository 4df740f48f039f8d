#ifndef SASLATCH_DAEMON_CLI_DOCTOR_H_
#define SASLATCH_DAEMON_CLI_DOCTOR_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli/as_user.h"
#include "daemon/cli/command.h"
#include "daemon/cli/settings.h"

namespace saslatch::cli {

enum class Health { kOk, kWarn, kFail };
std::string_view to_string(Health health);

// What one check found, and for a warning or a failure the sentence or command that mends it.
struct Finding {
  std::string check;  // a stable name, for scripts: "socket", "state-dir", "postfix" ...
  Health health = Health::kOk;
  std::string what;
  std::string mend;
};
using Findings = std::vector<Finding>;

// A socket that the running daemon was given by systemd, and the listener that serves it.
struct GivenSocket {
  std::string listener;
  std::string address;  // a path, or ADDRESS:PORT
};

// What the checks look at.
struct Patient {
  const Settings& settings;
  // Whom the daemon runs as: [daemon] user, or `saslatch`; absent if there is no such user.
  std::optional<UserIds> daemon_user;
  bool is_root = false;
  // What check_daemon() learned; such a listener is not found at its configured address.
  std::vector<GivenSocket> given = {};
};

// Each appends what it finds. None of them changes anything on the machine.
void check_state(const Patient& patient, Findings& findings);      // doctor_files.cc
void check_passdbs(const Patient& patient, Findings& findings);    // doctor_files.cc
void check_audit_log(const Patient& patient, Findings& findings);  // doctor_files.cc
void check_daemon(Patient& patient, Findings& findings);           // doctor_daemon.cc
void check_sockets(const Patient& patient, Findings& findings);    // doctor_daemon.cc
void check_clock(Findings& findings);                              // doctor_daemon.cc
void check_postfix(const Patient& patient, Findings& findings);    // doctor_postfix.cc

// The parameters that judge_postfix() looks at, by postconf(1)'s names; "smtp/inet/chroot" is the
// column of master.cf.
using PostfixSettings = std::map<std::string, std::string>;

// What Postfix's settings mean for this configuration. Pure.
Findings judge_postfix(const PostfixSettings& postfix, const config::Config& config,
                       const std::vector<GivenSocket>& given = {});

// `saslatch doctor`
ExitCode doctor(const Invocation& invocation, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_DOCTOR_H_
