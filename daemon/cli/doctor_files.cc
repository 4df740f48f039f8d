#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "daemon/audit/no_log.h"
#include "daemon/cli/doctor.h"
#include "daemon/cli/user_commands.h"
#include "daemon/config/secret_files.h"
#include "daemon/passdb/drivers/make_passdb.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::cli {
namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

// 0 if `path` can be opened so by the daemon's user (by this one without root), else errno.
int try_open(const Patient& patient, const std::string& path, int flags) {
  const auto attempt = [&path, flags] {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) return errno;
    ::close(descriptor);
    return 0;
  };
  if (patient.is_root && patient.daemon_user) {
    const int error = probe_as(*patient.daemon_user, attempt);
    if (error >= 0) return error;
  }
  return attempt();
}

std::string whom(const Patient& patient) {
  return patient.is_root && patient.daemon_user ? "user " + patient.daemon_user->name : "this user";
}

// Without root, what this user may not do says nothing of the daemon.
Health unless_unprivileged(const Patient& patient, int error) {
  const bool rights = error == EACCES || error == EPERM;
  return rights && !patient.is_root ? Health::kWarn : Health::kFail;
}

void check_key(const Patient& patient, Findings& findings) {
  const std::string path = patient.settings.state_dir() + "/secret.key";
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0) {
    if (errno == ENOENT) return;  // told with the database
    findings.push_back(
        {"secret-key", Health::kWarn, path + ": " + std::strerror(errno), "run doctor as root"});
    return;
  }
  if ((about.st_mode & 077u) != 0) {
    findings.push_back(
        {"secret-key", Health::kFail,
         path + " can be read by others: with users.db it opens every CRAM-MD5 login",
         "chmod 0600 " + path + ", and give the accounts new passwords"});
  } else if (patient.daemon_user && about.st_uid != patient.daemon_user->uid) {
    findings.push_back({"secret-key", Health::kFail,
                        path + " does not belong to " + patient.daemon_user->name,
                        "chown " + patient.daemon_user->name + " " + path});
  } else {
    findings.push_back({"secret-key", Health::kOk, path + " is the daemon's alone", ""});
  }
}

void check_database(const Patient& patient, Findings& findings) {
  const std::string path = patient.settings.state_dir() + "/users.db";
  const std::string key = patient.settings.state_dir() + "/secret.key";
  if (::access(path.c_str(), F_OK) != 0) {
    const bool absent = errno == ENOENT;
    findings.push_back({"database", Health::kWarn,
                        path + ": " + (absent ? "there is no account yet" : std::strerror(errno)),
                        absent ? "saslatch user add NAME" : "run doctor as root"});
    return;
  }
  if (::access(key.c_str(), F_OK) != 0 && errno == ENOENT) {
    findings.push_back({"database", Health::kFail, key + " is missing: no CRAM-MD5 login works",
                        "restore it, or give the accounts new passwords"});
    return;  // opening the store would make another key
  }
  SystemRandom random;
  auto store = passdb::UserStore::open(patient.settings.state_dir(), random);
  std::optional<passdb::StoreError> trouble;
  if (!store) {
    trouble = store.error();
  } else {
    const auto listed = (*store)->list("*", [](const passdb::StoredUser&) { return false; });
    if (!listed) trouble = listed.error();
  }
  if (!trouble) {
    findings.push_back({"database", Health::kOk, path + " can be read", ""});
  } else if (trouble->kind == passdb::StoreError::Kind::kPermission && !patient.is_root) {
    findings.push_back({"database", Health::kWarn, trouble->message, "run doctor as root"});
  } else {
    findings.push_back({"database", Health::kFail, trouble->message,
                        "restore users.db from a backup, or its rights"});
  }
}

}  // namespace

void check_state(const Patient& patient, Findings& findings) {
  const std::string& path = patient.settings.state_dir();
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
    findings.push_back(
        {"state-dir", Health::kFail, path + ": there is no such directory",
         "saslatchd makes it where it may; else: install -d -m 0700 -o saslatch " + path});
    return;
  }
  if (patient.daemon_user && about.st_uid != patient.daemon_user->uid) {
    findings.push_back({"state-dir", Health::kFail,
                        path + " does not belong to " + patient.daemon_user->name,
                        "chown -R " + patient.daemon_user->name + " " + path});
  } else if ((about.st_mode & 022u) != 0) {
    findings.push_back(
        {"state-dir", Health::kFail, path + " can be written by others", "chmod 0700 " + path});
  } else {
    findings.push_back({"state-dir", Health::kOk, path + " is the daemon's", ""});
  }
  check_key(patient, findings);
}

// `file`: the key that names it, and its path.
Finding redis_file(const Patient& patient, const std::string& file, const std::string& path) {
  const int error = try_open(patient, path, O_RDONLY);
  if (error == 0) return {"redis", Health::kOk, file + " can be read by " + whom(patient), ""};
  return {"redis", unless_unprivileged(patient, error),
          file + " cannot be read by " + whom(patient) + ": " + std::strerror(error),
          "chgrp saslatch " + path + " && chmod 0640 " + path +
              ", and let the group pass the directories above it"};
}

void check_redis(const Patient& patient, Findings& findings) {
  const config::StateConfig& state = patient.settings.config.state;
  if (state.backend != config::StateBackend::kRedis) return;
  const std::pair<const char*, const std::string&> kFiles[] = {
      {"key-file", state.key_file},
      {"password-file", state.password_file},
      {"tls-ca-file", state.tls_ca_file},
      {"tls-cert-file", state.tls_cert_file},
      {"tls-key-file", state.tls_key_file}};
  for (const auto& [key, path] : kFiles) {
    if (path.empty()) continue;
    findings.push_back(redis_file(patient, std::string(key) + " " + path, path));
  }
}

// Of passwd-file and sasldb.
void check_users_file(const Patient& patient, const config::PassdbConfig& passdb,
                      Findings& findings) {
  const std::string check(to_string(passdb.driver));
  const int error = try_open(patient, passdb.path, O_RDONLY);
  if (error == 0) {
    findings.push_back({check, Health::kOk, passdb.path + " can be read by " + whom(patient), ""});
  } else {
    findings.push_back(
        {check, unless_unprivileged(patient, error),
         passdb.path + " cannot be read by " + whom(patient) + ": " + std::strerror(error),
         "its logins get a temporary answer until the daemon can read it"});
  }
}

// A passdb that is asked over a library or a network: made as the daemon does, and tried.
void check_driver(const Patient& patient, const config::PassdbConfig& passdb, Findings& findings) {
  SystemRandom random;
  NoLog log;
  const config::Config& config = patient.settings.config;
  const std::string what =
      "passdb " + passdb.name + " (driver = " + std::string(to_string(passdb.driver)) + ")";
  const auto made =
      passdb::make_passdb(passdb, {patient.settings.state_dir(), config.daemon.module_dir},
                          {log, random, std::chrono::steady_clock::now, config.policy.max_hold,
                           config.usernames.lowercase, config::read_password_file});
  Result<void> usable;
  if (made) {
    usable = (*made)->check_usable();
    (*made)->stop();
  } else {
    usable = tl::unexpected(made.error());
  }
  if (usable) {
    findings.push_back({"passdb", Health::kOk, what + " answers", ""});
  } else {
    findings.push_back(
        {"passdb", Health::kFail, what + " cannot be used: " + usable.error().message,
         "its logins get a temporary answer until it can; see [passdb." + passdb.name + "]"});
  }
}

void check_passdbs(const Patient& patient, Findings& findings) {
  for (const config::PassdbConfig& passdb : patient.settings.config.passdb) {
    switch (passdb.driver) {
      case config::PassdbDriver::kEmbedded:
        check_database(patient, findings);
        continue;
      case config::PassdbDriver::kPasswdFile:
        check_users_file(patient, passdb, findings);
        continue;
      case config::PassdbDriver::kSasldb:
        check_users_file(patient, passdb, findings);
        break;
      case config::PassdbDriver::kLdap:
      case config::PassdbDriver::kPam:
      case config::PassdbDriver::kSql:
        break;
    }
    check_driver(patient, passdb, findings);
  }
}

void check_audit_log(const Patient& patient, Findings& findings) {
  const std::string& path = patient.settings.config.daemon.audit_log;
  if (path.empty()) {
    findings.push_back({"audit-log", Health::kWarn, "there is no audit log",
                        "set [daemon] audit-log: it tells who was refused, and why"});
    return;
  }
  int error = try_open(patient, path, O_WRONLY | O_APPEND);
  std::string what = path;
  if (error == ENOENT) {
    what = parent_of(path);
    const auto may_write = [&what] { return ::access(what.c_str(), W_OK | X_OK) == 0 ? 0 : errno; };
    error = patient.is_root && patient.daemon_user ? probe_as(*patient.daemon_user, may_write)
                                                   : may_write();
  }
  if (error == 0) {
    findings.push_back(
        {"audit-log", Health::kOk, path + " can be written by " + whom(patient), ""});
  } else {
    findings.push_back(
        {"audit-log", unless_unprivileged(patient, error),
         what + " cannot be written by " + whom(patient) + ": " + std::strerror(error),
         "install -d -m 0750 -o saslatch " + parent_of(path)});
  }
}

}  // namespace saslatch::cli
