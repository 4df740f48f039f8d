#ifndef SASLATCH_TESTS_DAEMON_CONFIG_STUB_ENVIRONMENT_H_
#define SASLATCH_TESTS_DAEMON_CONFIG_STUB_ENVIRONMENT_H_

#include <set>
#include <string>

#include "daemon/config/check.h"

namespace saslatch::config {

// A machine that lacks all below /missing and knows few names.
class StubEnvironment final : public Environment {
 public:
  Trouble directory(const std::string& path) override { return existing_directory(path); }
  Trouble existing_directory(const std::string& path) override {
    if (path.starts_with("/missing")) return "No such file or directory";
    return {};
  }
  Trouble user(const std::string& name) override {
    if (users.contains(name)) return {};
    return "there is no such user";
  }
  Trouble group(const std::string& name) override {
    if (users.contains(name)) return {};
    return "there is no such group";
  }
  Trouble readable(const std::string& path) override { return existing_directory(path); }
  Trouble password_file(const std::string& path) override { return existing_directory(path); }
  Trouble key_file(const std::string& path) override { return existing_directory(path); }
  Trouble scheme(const std::string& name) override {
    if (name == "CRYPT" || name == "PLAIN") return {};
    return "no such scheme";
  }
  Trouble passdb(const PassdbConfig& passdb, const Config& config) override {
    if (passdb.driver == PassdbDriver::kSql) return existing_directory(passdb.sql.database);
    const bool embedded = passdb.driver == PassdbDriver::kEmbedded;
    return existing_directory(embedded ? config.daemon.state_dir : passdb.path);
  }

  std::set<std::string> users = {"root",  "postfix",  "Debian-exim", "openldap",
                                 "cyrus", "chasquid", "saslatch",    "sasl"};
};

}  // namespace saslatch::config

#endif  // SASLATCH_TESTS_DAEMON_CONFIG_STUB_ENVIRONMENT_H_
