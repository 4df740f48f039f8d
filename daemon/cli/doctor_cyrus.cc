#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "daemon/cli/descriptor.h"
#include "daemon/cli/doctor.h"

namespace saslatch::cli {
namespace {

constexpr const char* kPlugin = "saslatch";  // libsasl2's name of libsaslatch.so

// Beside this program in the build tree, else where it is installed.
std::string probe_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path() / "saslatch-sasl-probe";
  if (!error && std::filesystem::exists(beside, error)) return beside.string();
  return SASLATCH_LIBEXEC_DIR "/saslatch-sasl-probe";
}

std::string option_of(const CyrusProbe& probe, const std::string& name) {
  const auto found = probe.options.find(name);
  return found == probe.options.end() ? "" : found->second;
}

// What the plugin provides, and whether it is what libsasl2 uses.
void judge_providers(const CyrusApplication& application, const CyrusProbe& probe,
                     Findings& findings) {
  std::set<std::string> seen, ours, twice;
  std::string won, lost;
  for (const auto& [mechanism, plugin] : probe.providers) {
    if (!seen.insert(mechanism).second) {
      twice.insert(mechanism);
      if (plugin == kPlugin) lost += (lost.empty() ? "" : " ") + mechanism;
    } else if (plugin == kPlugin) {
      won += (won.empty() ? "" : " ") + mechanism;
      ours.insert(mechanism);
    }
  }
  if (!won.empty()) {
    findings.push_back({"cyrus", Health::kOk, application.name + " has " + won + " from us", ""});
  }
  if (!lost.empty()) {
    findings.push_back(
        {"cyrus", Health::kFail, application.name + " uses another plugin for " + lost,
         "libsasl2 before 2.1.28 takes the first one loaded: give ours a folder of its own, first "
         "in SASL_PATH; see saslatch-plugin(7)"});
  }
  if (!twice.empty() && option_of(probe, "mech_list").empty()) {
    findings.push_back(
        {"cyrus", Health::kWarn,
         application.name + " announces mechanisms twice, as two plugins have them",
         "write `mech_list: PLAIN LOGIN CRAM-MD5` into " + application.appname + ".conf"});
  }
}

void judge_tls(const CyrusApplication& application, const CyrusProbe& probe,
               const config::Config& config, Findings& findings) {
  const bool assumes = option_of(probe, "saslatch_assume_tls") == "yes";
  if (assumes && !application.tells_tls && !application.needs_tls) {
    findings.push_back({"cyrus", Health::kFail,
                        "saslatch_assume_tls is yes, and " + application.name +
                            " takes logins without TLS: passwords in the clear count as secured",
                        "postconf -e smtpd_tls_auth_only=yes"});
  }
  if (!assumes && !application.tells_tls && config.mechanisms.plaintext_needs_tls) {
    findings.push_back(
        {"cyrus", Health::kFail,
         application.name + " does not tell libsasl2 of TLS, so PLAIN and LOGIN are always refused",
         "postconf -e smtpd_tls_auth_only=yes, and write `saslatch_assume_tls: yes` into " +
             application.appname + ".conf"});
  }
}

// The path on this machine of a path that the application's process would open.
std::string seen_from_here(const CyrusApplication& application, const std::string& path) {
  const bool absolute = path.rfind('/', 0) == 0;
  const std::string base = absolute ? application.root + "/" : application.directory + "/";
  return std::filesystem::path(base + path).lexically_normal().string();
}

void judge_socket(const CyrusApplication& application, const CyrusProbe& probe,
                  const std::string& socket, const config::Config& config,
                  const std::vector<GivenSocket>& given, Findings& findings) {
  const std::string option = option_of(probe, "saslatch_socket");
  const auto sockets = dovecot_sockets(config, given);
  for (const GivenSocket& ours : sockets) {
    if (std::filesystem::path(ours.address).lexically_normal().string() != socket) continue;
    findings.push_back(
        {"cyrus", Health::kOk, "saslatch_socket of " + application.name + " is ours", ""});
    for (const config::ListenConfig& listener : config.listen) {
      if (listener.name != ours.listener ||
          listener.on_temporary_failure == config::OnTemporaryFailure::kReply) {
        continue;
      }
      findings.push_back({"cyrus", Health::kWarn,
                          "[listen." + listener.name +
                              "] closes connections on temporary failures, and with them what "
                              "else the plugin has on them",
                          "on-temporary-failure = reply, if only Cyrus SASL uses this socket"});
    }
    return;
  }
  std::string mend = "add a [listen.NAME] with protocol = dovecot and socket = " + socket;
  for (const GivenSocket& ours : sockets) {
    const std::string inside = application.directory + "/";
    if (!application.root.empty() && ours.address.rfind(inside, 0) == 0) {
      mend = "write `saslatch_socket: " + ours.address.substr(inside.size()) + "` into " +
             application.appname + ".conf";
    } else if (application.root.empty() && ours.address.rfind('/', 0) == 0) {
      mend = "write `saslatch_socket: " + ours.address + "` into " + application.appname + ".conf";
    } else {
      continue;
    }
    break;
  }
  findings.push_back({"cyrus", Health::kFail,
                      "saslatch_socket of " + application.name + ", " + option +
                          (application.root.empty() ? "" : " within its chroot") +
                          ", is no socket of this configuration",
                      mend});
}

void check_reach(const Patient& patient, const CyrusApplication& application,
                 const std::string& socket, Findings& findings) {
  const auto user = find_user(application.user);
  if (!user || socket.empty() || !patient.is_root) return;
  const int error = probe_as(*user, [&socket] {
    const auto connected =
        connect_to(socket, std::chrono::steady_clock::now() + std::chrono::seconds(5));
    return connected ? 0 : connected.error().number;
  });
  if (error == 0) {
    findings.push_back({"cyrus", Health::kOk,
                        application.name + ", as user " + user->name + ", reaches " + socket, ""});
  } else if (error > 0) {
    findings.push_back({"cyrus", Health::kFail,
                        application.name + ", as user " + user->name + ", cannot connect to " +
                            socket + ": " + std::strerror(error),
                        error == EACCES
                            ? "let " + user->name + " into the group of the socket (adduser " +
                                  user->name + " saslatch) and restart " + application.name
                            : "start saslatchd, or mend the path"});
  }
}

bool has_our_options(const std::string& path, const std::string& appname) {
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find(':', at), path.size());
    std::ifstream file(path.substr(at, end - at) + "/" + appname + ".conf");
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("saslatch_", 0) == 0) return true;
    }
    at = end + 1;
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> lines_of(const std::string& command) {
  // A shell: what it is given is constant, or quoted(). NOLINTNEXTLINE(cert-env33-c)
  std::FILE* pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return std::nullopt;
  std::vector<std::string> lines(1);
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += static_cast<char>(c);
    }
  }
  lines.pop_back();
  const int status = ::pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return lines;
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

CyrusProbe parse_cyrus_probe(const std::vector<std::string>& lines) {
  CyrusProbe probe;
  for (const std::string& line : lines) {
    const size_t first = line.find('\t');
    if (first == std::string::npos) continue;
    const std::string word = line.substr(0, first), rest = line.substr(first + 1);
    const size_t second = rest.find('\t');
    if (word == "complaint") {
      probe.complaints.push_back(rest);
    } else if (second != std::string::npos && word == "provider") {
      probe.providers.emplace_back(rest.substr(0, second), rest.substr(second + 1));
    } else if (second != std::string::npos && word == "option") {
      probe.options[rest.substr(0, second)] = rest.substr(second + 1);
    }
  }
  return probe;
}

Findings judge_cyrus(const CyrusApplication& application, const CyrusProbe& probe,
                     const config::Config& config, const std::vector<GivenSocket>& given,
                     std::string& socket) {
  Findings findings;
  socket.clear();
  const bool is_found =
      std::any_of(probe.providers.begin(), probe.providers.end(),
                  [](const auto& provider) { return provider.second == kPlugin; });
  if (!is_found) {
    findings.push_back(
        {"cyrus", Health::kFail,
         application.name + "'s libsasl2 finds no libsaslatch.so" +
             (application.plugin_path.empty() ? "" : " in " + application.plugin_path),
         "install libsasl2-modules-saslatch, or name its folder in SASL_PATH"});
    return findings;
  }
  judge_providers(application, probe, findings);
  for (const std::string& complaint : probe.complaints) {
    findings.push_back({"cyrus", Health::kWarn, application.name + ": " + complaint,
                        "mend it in " + application.appname + ".conf"});
  }
  socket = seen_from_here(application, option_of(probe, "saslatch_socket"));
  judge_socket(application, probe, socket, config, given, findings);
  judge_tls(application, probe, config, findings);
  return findings;
}

void check_cyrus(const Patient& patient, const CyrusApplication& application, Findings& findings) {
  std::string command = quoted(probe_program()) + " " + quoted(application.appname) + " " +
                        quoted(application.config_path);
  if (!application.plugin_path.empty()) command += " " + quoted(application.plugin_path);
  const auto lines = lines_of(command + " 2>/dev/null");
  if (!lines) {
    findings.push_back({"cyrus", Health::kWarn,
                        "not checked what libsasl2 makes of " + application.name,
                        "run it and see what it says: " + command});
    return;
  }
  std::string socket;
  for (Finding& finding : judge_cyrus(application, parse_cyrus_probe(*lines),
                                      patient.settings.config, patient.given, socket)) {
    findings.push_back(std::move(finding));
  }
  check_reach(patient, application, socket, findings);
}

void check_cyrus_servers(const Patient& patient, Findings& findings) {
  const std::array<CyrusApplication, 2> servers = {{
      {.name = "OpenLDAP",
       .appname = "slapd",
       .config_path = "/etc/ldap/sasl2:/etc/sasl2:/usr/lib/sasl2",
       .plugin_path = "",
       .user = "openldap",
       .directory = "/",
       .root = ""},
      {.name = "Sendmail",
       .appname = "Sendmail",
       .config_path = "/etc/sasl2:/usr/lib/sasl2",
       .plugin_path = "",
       .user = "root",
       .directory = "/",
       .root = ""},
  }};
  for (const CyrusApplication& server : servers) {
    if (has_our_options(server.config_path, server.appname)) {
      check_cyrus(patient, server, findings);
    }
  }
}

}  // namespace saslatch::cli
