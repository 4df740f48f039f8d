#ifndef SASLATCH_DAEMON_CLI_DOCTOR_H_
#define SASLATCH_DAEMON_CLI_DOCTOR_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

struct CyrusApplication;

// Each appends what it finds. None of them changes anything on the machine.
void check_state(const Patient& patient, Findings& findings);      // doctor_files.cc
void check_redis(const Patient& patient, Findings& findings);      // doctor_files.cc
void check_passdbs(const Patient& patient, Findings& findings);    // doctor_files.cc
void check_audit_log(const Patient& patient, Findings& findings);  // doctor_files.cc
void check_daemon(Patient& patient, Findings& findings);           // doctor_daemon.cc
void check_sockets(const Patient& patient, Findings& findings);    // doctor_daemon.cc
void check_clock(Findings& findings);                              // doctor_daemon.cc
void check_postfix(const Patient& patient, Findings& findings);    // doctor_postfix.cc
void check_cyrus(const Patient& patient, const CyrusApplication& application,
                 Findings& findings);  // doctor_cyrus.cc
// The servers other than Postfix whose libsasl2 configuration has options of ours.
void check_cyrus_servers(const Patient& patient, Findings& findings);  // doctor_cyrus.cc

// What a command prints, line by line; nullopt if it cannot be run or fails. Words of it that are
// not constants must be quoted().
std::optional<std::vector<std::string>> lines_of(const std::string& command);
std::string quoted(const std::string& word);  // for a shell

// The parameters that judge_postfix() looks at, by postconf(1)'s names; "smtp/inet/chroot" is the
// column of master.cf.
using PostfixSettings = std::map<std::string, std::string>;

// What Postfix's settings mean for this configuration. Pure.
Findings judge_postfix(const PostfixSettings& postfix, const config::Config& config,
                       const std::vector<GivenSocket>& given = {});

// Every socket of ours on which the Dovecot protocol is spoken, with its listener: what systemd
// gave, and what is configured.
std::vector<GivenSocket> dovecot_sockets(const config::Config& config,
                                         const std::vector<GivenSocket>& given);

// A server of this machine that asks libsasl2.
struct CyrusApplication {
  std::string name;                      // for people: "Postfix"
  std::string appname;                   // to libsasl2: "smtpd"
  std::string config_path, plugin_path;  // "": libsasl2's own
  std::string user;                      // whom it runs as when it connects
  std::string directory;                 // where a relative path begins
  std::string root;                      // its chroot, "" if it has none
  bool tells_tls = true;                 // libsasl2 learns from it whether there is TLS
  bool needs_tls = false;                // it offers no login without TLS
};

// What saslatch-sasl-probe says of it.
struct CyrusProbe {
  std::vector<std::pair<std::string, std::string>> providers;  // mechanism, plugin; in order
  std::map<std::string, std::string> options;
  std::vector<std::string> complaints;
};

// The probe's words; unknown ones are skipped.
CyrusProbe parse_cyrus_probe(const std::vector<std::string>& lines);

// What it means for this configuration. Pure. `socket` gets the path by which this machine knows
// the socket that the plugin would connect to; "" if the plugin is not in use.
Findings judge_cyrus(const CyrusApplication& application, const CyrusProbe& probe,
                     const config::Config& config, const std::vector<GivenSocket>& given,
                     std::string& socket);

// `saslatch doctor`
ExitCode doctor(const Invocation& invocation, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_DOCTOR_H_
