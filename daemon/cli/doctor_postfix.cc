#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "daemon/cli/doctor.h"

namespace saslatch::cli {
namespace {

constexpr std::array<const char*, 6> kParameters = {
    "queue_directory", "smtpd_sasl_auth_enable", "smtpd_sasl_type",
    "smtpd_sasl_path", "smtpd_tls_auth_only",    "smtpd_tls_security_level"};

// What a fixed command prints, line by line; nullopt if it cannot be run or fails.
std::optional<std::vector<std::string>> lines_of(const char* command) {
  std::FILE* pipe = ::popen(command, "re");
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

std::optional<PostfixSettings> ask_postfix() {
  std::string command = "postconf -hx";
  for (const char* parameter : kParameters) command += std::string(" ") + parameter;
  const auto values = lines_of((command + " 2>/dev/null").c_str());
  if (!values || values->size() != kParameters.size()) return std::nullopt;
  PostfixSettings settings;
  for (size_t i = 0; i < kParameters.size(); ++i) settings[kParameters[i]] = (*values)[i];
  const auto chroot = lines_of("postconf -hF smtp/inet/chroot 2>/dev/null");
  if (chroot && chroot->size() == 1) settings["smtp/inet/chroot"] = chroot->front();
  return settings;
}

std::string value_of(const PostfixSettings& postfix, const std::string& name) {
  const auto found = postfix.find(name);
  return found == postfix.end() ? "" : found->second;
}

// The socket that smtpd_sasl_path names, as our configuration would write it: absolute, or
// ADDRESS:PORT.
std::string socket_of_path(std::string path, const std::string& queue_directory) {
  if (path.rfind("inet:", 0) == 0) return path.substr(5);
  if (path.rfind("unix:", 0) == 0) path = path.substr(5);
  if (!path.empty() && path.front() == '/') return path;
  return queue_directory + "/" + path;
}

// Every socket on which the Dovecot protocol is spoken: what systemd gave, and what is configured.
std::vector<std::string> our_sockets(const config::Config& config,
                                     const std::vector<GivenSocket>& given) {
  std::vector<std::string> sockets;
  for (const config::ListenConfig& listener : config.listen) {
    if (listener.protocol != config::ListenProtocol::kDovecot) continue;
    const size_t before = sockets.size();
    for (const GivenSocket& socket : given) {
      if (socket.listener == listener.name) sockets.push_back(socket.address);
    }
    if (sockets.size() == before) sockets.push_back(config::to_string(listener.socket));
  }
  return sockets;
}

// The words for main.cf that lead to one of our sockets: best one that a chrooted smtpd sees too.
std::string wanted_path(const std::vector<std::string>& sockets,
                        const std::string& queue_directory) {
  for (const std::string& socket : sockets) {
    if (socket.rfind(queue_directory + "/", 0) == 0) {
      return socket.substr(queue_directory.size() + 1);
    }
  }
  if (sockets.empty()) return "";
  return sockets.front().rfind('/', 0) == 0 ? sockets.front() : "inet:" + sockets.front();
}

bool is_ours(const std::string& socket, const std::vector<std::string>& sockets) {
  return std::any_of(sockets.begin(), sockets.end(), [&socket](const std::string& ours) {
    return std::filesystem::path(ours).lexically_normal() ==
           std::filesystem::path(socket).lexically_normal();
  });
}

void judge_path(const PostfixSettings& postfix, const std::vector<std::string>& sockets,
                Findings& findings) {
  const std::string queue = value_of(postfix, "queue_directory");
  const std::string path = value_of(postfix, "smtpd_sasl_path");
  const std::string wanted = wanted_path(sockets, queue);
  if (!is_ours(socket_of_path(path, queue), sockets)) {
    findings.push_back({"postfix", Health::kFail,
                        "smtpd_sasl_path = " + path + " is no socket of this configuration",
                        wanted.empty() ? "add a [listen.NAME] with protocol = dovecot"
                                       : "postconf -e smtpd_sasl_path=" + wanted});
    return;
  }
  const bool chrooted = value_of(postfix, "smtp/inet/chroot") == "y";
  const bool absolute = path.rfind('/', 0) == 0 || path.rfind("unix:/", 0) == 0;
  if (chrooted && absolute) {
    findings.push_back({"postfix", Health::kFail, "smtpd runs in a chroot and does not see " + path,
                        "put the socket below " + queue +
                            "/private and write smtpd_sasl_path relative to " + queue});
    return;
  }
  findings.push_back({"postfix", Health::kOk, "smtpd_sasl_path = " + path + " is ours", ""});
}

}  // namespace

Findings judge_postfix(const PostfixSettings& postfix, const config::Config& config,
                       const std::vector<GivenSocket>& given) {
  const std::vector<std::string> sockets = our_sockets(config, given);
  Findings findings;
  if (value_of(postfix, "smtpd_sasl_auth_enable") != "yes") {
    findings.push_back({"postfix", Health::kWarn, "smtpd_sasl_auth_enable is not `yes` in main.cf",
                        "postconf -e smtpd_sasl_auth_enable=yes, unless master.cf does it for "
                        "submission only"});
  }
  const std::string type = value_of(postfix, "smtpd_sasl_type");
  if (type != "dovecot") {
    // With `cyrus` Postfix asks libsasl2, which may well have our plugin.
    findings.push_back({"postfix", type == "cyrus" ? Health::kWarn : Health::kFail,
                        "smtpd_sasl_type = " + type + ": Postfix does not use this daemon's socket",
                        "postconf -e smtpd_sasl_type=dovecot smtpd_sasl_path=" +
                            wanted_path(sockets, value_of(postfix, "queue_directory"))});
    return findings;
  }
  judge_path(postfix, sockets, findings);
  if (config.mechanisms.plaintext_needs_tls &&
      value_of(postfix, "smtpd_tls_security_level").empty()) {
    findings.push_back({"postfix", Health::kWarn,
                        "Postfix offers no TLS, and PLAIN and LOGIN are refused without it",
                        "postconf -e smtpd_tls_security_level=may, with a certificate"});
  }
  return findings;
}

void check_postfix(const Patient& patient, Findings& findings) {
  const auto postfix = ask_postfix();
  if (!postfix) return;  // there is none on this machine
  for (Finding& finding : judge_postfix(*postfix, patient.settings.config, patient.given)) {
    findings.push_back(std::move(finding));
  }
}

}  // namespace saslatch::cli
