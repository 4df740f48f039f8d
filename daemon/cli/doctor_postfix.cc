#include <algorithm>
#include <array>
#include <filesystem>

#include "daemon/cli/doctor.h"

namespace saslatch::cli {
namespace {

constexpr std::array<const char*, 10> kParameters = {
    "queue_directory",     "smtpd_sasl_auth_enable",   "smtpd_sasl_type",  "smtpd_sasl_path",
    "smtpd_tls_auth_only", "smtpd_tls_security_level", "config_directory", "mail_owner",
    "import_environment",  "cyrus_sasl_config_path"};

std::optional<PostfixSettings> ask_postfix() {
  std::string command = "postconf -hx";
  for (const char* parameter : kParameters) command += std::string(" ") + parameter;
  const auto values = lines_of(command + " 2>/dev/null");
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

std::vector<std::string> addresses_of(const std::vector<GivenSocket>& sockets) {
  std::vector<std::string> addresses;
  addresses.reserve(sockets.size());
  for (const GivenSocket& socket : sockets) addresses.push_back(socket.address);
  return addresses;
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

// Postfix hands variables to its daemons only if they are named, and may set them there.
std::string imported(const std::string& environment, const std::string& variable) {
  const size_t at = (" " + environment).find(" " + variable + "=");
  if (at == std::string::npos) return "";
  const std::string value = environment.substr(at + variable.size() + 1);
  return value.substr(0, value.find_first_of(" ,"));
}

CyrusApplication cyrus_application(const PostfixSettings& postfix) {
  const bool chrooted = value_of(postfix, "smtp/inet/chroot") == "y";
  const std::string queue = value_of(postfix, "queue_directory");
  const std::string path = value_of(postfix, "smtpd_sasl_path");
  const std::string configured = value_of(postfix, "cyrus_sasl_config_path");
  CyrusApplication application;
  application.name = "Postfix";
  application.appname = path.empty() ? "smtpd" : path;
  // Debian's Postfix reads the second and not the first.
  application.config_path = (configured.empty() ? "" : configured + ":") +
                            value_of(postfix, "config_directory") +
                            "/sasl:/etc/sasl2:/usr/lib/sasl2";
  application.plugin_path = imported(value_of(postfix, "import_environment"), "SASL_PATH");
  application.user = value_of(postfix, "mail_owner");
  application.directory = queue;
  application.root = chrooted ? queue : "";
  application.tells_tls = false;
  application.needs_tls = value_of(postfix, "smtpd_tls_auth_only") == "yes";
  return application;
}

}  // namespace

std::vector<GivenSocket> dovecot_sockets(const config::Config& config,
                                         const std::vector<GivenSocket>& given) {
  std::vector<GivenSocket> sockets;
  for (const config::ListenConfig& listener : config.listen) {
    if (listener.protocol != config::ListenProtocol::kDovecot) continue;
    const size_t before = sockets.size();
    for (const GivenSocket& socket : given) {
      if (socket.listener == listener.name) sockets.push_back(socket);
    }
    if (sockets.size() == before) {
      sockets.push_back({listener.name, config::to_string(listener.socket)});
    }
  }
  return sockets;
}

Findings judge_postfix(const PostfixSettings& postfix, const config::Config& config,
                       const std::vector<GivenSocket>& given) {
  const std::vector<std::string> sockets = addresses_of(dovecot_sockets(config, given));
  Findings findings;
  if (value_of(postfix, "smtpd_sasl_auth_enable") != "yes") {
    findings.push_back({"postfix", Health::kWarn, "smtpd_sasl_auth_enable is not `yes` in main.cf",
                        "postconf -e smtpd_sasl_auth_enable=yes, unless master.cf does it for "
                        "submission only"});
  }
  const std::string type = value_of(postfix, "smtpd_sasl_type");
  if (type == "cyrus") return findings;  // judge_cyrus() goes on
  if (type != "dovecot") {
    findings.push_back({"postfix", Health::kFail,
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
  if (value_of(*postfix, "smtpd_sasl_type") == "cyrus") {
    check_cyrus(patient, cyrus_application(*postfix), findings);
  }
}

}  // namespace saslatch::cli
