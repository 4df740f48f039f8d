#include "daemon/config/check.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "daemon/config/keys.h"
#include "daemon/config/reader.h"
#include "daemon/config/secret_files.h"

namespace saslatch::config {
namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_not_of('/', path.rfind('/'));
  return slash == std::string::npos ? "/" : path.substr(0, slash + 1);
}

class Checker {
 public:
  Checker(const Parsed& parsed, Environment& environment)
      : parsed_(parsed), environment_(environment) {}

  std::vector<Problem> check() {
    check_daemon();
    for (const ListenConfig& listen : parsed_.config.listen) check_listener(listen);
    for (const PassdbConfig& passdb : parsed_.config.passdb) check_passdb(passdb);
    check_state();
    if (!parsed_.has_errors()) {
      for (const std::string& text : policy::warnings(parsed_.config.policy)) {
        problems_.push_back({Problem::Kind::kWarning, parsed_.line_of_text(text), text});
      }
    }
    std::stable_sort(problems_.begin(), problems_.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
    return std::move(problems_);
  }

 private:
  void add(Problem::Kind kind, const std::string& section, const std::string& key,
           const std::string& text) {
    problems_.push_back(
        {kind, parsed_.line_of(section, key), "[" + section + "] " + key + " = " + text});
  }

  void demand(const std::string& section, const std::string& key, const std::string& value,
              const Environment::Trouble& trouble, std::string_view accepted) {
    if (!trouble) return;
    add(Problem::Kind::kError, section, key,
        shown(value) + ": " + *trouble + "; accepted: " + std::string(accepted));
  }

  void check_daemon() {
    const DaemonConfig& daemon = parsed_.config.daemon;
    demand("daemon", "state-dir", daemon.state_dir, environment_.directory(daemon.state_dir),
           "a directory, or a path where one can be made");
    demand("daemon", "run-dir", daemon.run_dir, environment_.directory(daemon.run_dir),
           "a directory, or a path where one can be made");
    if (daemon.user) {
      demand("daemon", "user", *daemon.user, environment_.user(*daemon.user),
             "a user of this machine");
    }
    if (daemon.log_target == LogTarget::kJournal && !journal_is_supported()) {
      add(Problem::Kind::kError, "daemon", "log-target",
          "journal: this saslatchd was built without libsystemd; accepted: stderr | syslog");
    }
    if (daemon.audit_log.empty()) return;
    const std::string folder = parent_of(daemon.audit_log);
    if (const auto trouble = environment_.directory(folder)) {
      add(Problem::Kind::kWarning, "daemon", "audit-log",
          shown(daemon.audit_log) + ": " + *trouble +
              "; no audit event is written until the directory is there");
    }
  }

  void check_listener(const ListenConfig& listen) {
    const std::string section = "listen." + listen.name;
    const auto* socket = std::get_if<std::string>(&listen.socket);
    if (socket == nullptr) return;
    const std::string folder = parent_of(*socket);
    // The daemon makes its own directory, and no other's. Empty: parse() has told why.
    if (!socket->empty() && folder != parsed_.config.daemon.run_dir) {
      demand(section, "socket", *socket, environment_.existing_directory(folder),
             "a path in a directory that exists");
    }
    if (!listen.owner.empty()) {
      demand(section, "owner", listen.owner, environment_.user(listen.owner),
             "a user of this machine");
    }
    if (!listen.group.empty()) {
      demand(section, "group", listen.group, environment_.group(listen.group),
             "a group of this machine");
    }
  }

  void check_passdb(const PassdbConfig& passdb) {
    const std::string section = "passdb." + passdb.name;
    const std::string driver(to_string(passdb.driver));
    const auto has_key = [&driver, keys = passdb_keys()](std::string_view name) {
      return std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
        return key.name == name && !key.drivers.empty() && key.is_for(driver);
      });
    };
    const bool is_file = has_key("path");
    if (is_file && passdb.path.empty()) return;  // parse() has told why
    if (has_key("default-scheme")) {
      demand(section, "default-scheme", passdb.default_scheme,
             environment_.scheme(passdb.default_scheme), "a scheme of Dovecot's, like CRYPT");
    }
    if (has_key("password-file") && !passdb.server.password_file.empty()) {
      demand(section, "password-file", passdb.server.password_file,
             environment_.password_file(passdb.server.password_file),
             "a file with the password, of the daemon's user");
    }
    if (has_key("tls-ca-file") && !passdb.server.tls_ca_file.empty()) {
      demand(section, "tls-ca-file", passdb.server.tls_ca_file,
             environment_.readable(passdb.server.tls_ca_file), "a readable file");
    }
    const auto trouble = environment_.passdb(passdb, parsed_.config);
    if (!trouble) return;
    const std::string why = ": cannot be opened: " + *trouble;
    switch (passdb.driver) {
      case PassdbDriver::kEmbedded:
        return add(Problem::Kind::kError, section, "driver",
                   driver + why + "; accepted: a state-dir with a usable users.db");
      case PassdbDriver::kPasswdFile:
        return add(Problem::Kind::kError, section, "path",
                   shown(passdb.path) + why + "; accepted: a readable file");
      case PassdbDriver::kSasldb:
        return add(Problem::Kind::kError, section, "path",
                   shown(passdb.path) + why + "; accepted: a readable file of saslpasswd2");
      case PassdbDriver::kLdap:
        return add(Problem::Kind::kError, section, "uri",
                   shown(passdb.ldap.uri) + why + "; accepted: a directory that answers");
      case PassdbDriver::kPam:
        return add(Problem::Kind::kError, section, "driver",
                   driver + why + "; accepted: a PAM that can be asked");
      case PassdbDriver::kSql:
        return add(Problem::Kind::kError, section, "driver",
                   driver + why + "; accepted: a database that answers the query");
    }
  }

  void check_state() {
    const StateConfig& state = parsed_.config.state;
    const auto demand_file = [&](const char* key, const std::string& path, auto trouble_of,
                                 std::string_view accepted) {
      if (!path.empty()) demand("state", key, path, trouble_of(path), accepted);
    };
    const auto readable = [&](const std::string& path) { return environment_.readable(path); };
    demand_file("tls-ca-file", state.tls_ca_file, readable, "a readable file");
    demand_file("tls-cert-file", state.tls_cert_file, readable, "a readable file");
    demand_file("tls-key-file", state.tls_key_file, readable, "a readable file");
    demand_file(
        "password-file", state.password_file,
        [&](const std::string& path) { return environment_.password_file(path); },
        "a file with one line, readable by the daemon's user and not by others");
    demand_file(
        "key-file", state.key_file,
        [&](const std::string& path) { return environment_.key_file(path); },
        "a key of at least 32 random bytes, readable by the daemon's user and not by others, made "
        "by: head -c 32 /dev/urandom | base64 > FILE; chmod 0640 FILE");
  }

  const Parsed& parsed_;
  Environment& environment_;
  std::vector<Problem> problems_;
};

Environment::Trouble directory_trouble(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::generic_category().message(errno);
  if (!S_ISDIR(status.st_mode)) return path + " is no directory";
  return {};
}

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::vector<Problem> check(const Parsed& parsed, Environment& environment) {
  return Checker(parsed, environment).check();
}

Environment::Trouble SystemEnvironment::existing_directory(const std::string& path) {
  return directory_trouble(path);
}

Environment::Trouble SystemEnvironment::directory(const std::string& path) {
  std::string at = path;
  struct stat status {};
  while (at != "/" && stat(at.c_str(), &status) != 0 && errno == ENOENT) at = parent_of(at);
  return directory_trouble(at);
}

Environment::Trouble SystemEnvironment::user(const std::string& name) {
  if (is_number(name) || getpwnam(name.c_str()) != nullptr) return {};
  return "there is no such user";
}

Environment::Trouble SystemEnvironment::group(const std::string& name) {
  if (is_number(name) || getgrnam(name.c_str()) != nullptr) return {};
  return "there is no such group";
}

Environment::Trouble SystemEnvironment::readable(const std::string& path) {
  if (access(path.c_str(), R_OK) != 0) return std::generic_category().message(errno);
  return {};
}

Environment::Trouble SystemEnvironment::password_file(const std::string& path) {
  const auto password = read_password_file(path);
  if (!password) return password.error().message;
  return {};
}

Environment::Trouble SystemEnvironment::key_file(const std::string& path) {
  const auto key = read_key_file(path);
  if (!key) return key.error().message;
  return {};
}

}  // namespace saslatch::config
