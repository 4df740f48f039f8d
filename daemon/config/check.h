#ifndef SASLATCH_DAEMON_CONFIG_CHECK_H_
#define SASLATCH_DAEMON_CONFIG_CHECK_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/parse.h"

namespace saslatch::config {

// What --check asks of the machine it runs on. Each answer is the trouble in words ("no such
// directory"), or nullopt if there is none.
class Environment {
 public:
  using Trouble = std::optional<std::string>;
  virtual ~Environment() = default;

  // The directory exists, or can be made because its nearest existing parent is a directory.
  virtual Trouble directory(const std::string& path) = 0;
  // The directory exists.
  virtual Trouble existing_directory(const std::string& path) = 0;
  virtual Trouble user(const std::string& name) = 0;   // or a number
  virtual Trouble group(const std::string& name) = 0;  // or a number
  // The scheme is one of those that a stored password may have.
  virtual Trouble scheme(const std::string& name) = 0;
  // The file can be read.
  virtual Trouble readable(const std::string& path) = 0;
  // The file can be read by us and not by others, and holds what secret_files.h says.
  virtual Trouble password_file(const std::string& path) = 0;
  virtual Trouble key_file(const std::string& path) = 0;
  // The passdb can be opened as it is configured.
  virtual Trouble passdb(const PassdbConfig& passdb, const Config& config) = 0;
};

// What of `parsed` cannot work on this machine, with the lines; whatever parse() has rejected is
// left out. Errors: a user or group that does not exist, a directory that is missing, a scheme
// nobody knows, a passdb that cannot be opened, a file of [state] that cannot be used, a log target
// this program was built without. Warnings: an audit log whose directory is missing (the daemon
// goes on without), and policy::warnings() if parse() found no error.
std::vector<Problem> check(const Parsed& parsed, Environment& environment);

// The real machine, but for scheme() and passdb(), which this layer cannot know.
class SystemEnvironment : public Environment {
 public:
  Trouble directory(const std::string& path) override;
  Trouble existing_directory(const std::string& path) override;
  Trouble user(const std::string& name) override;
  Trouble group(const std::string& name) override;
  Trouble readable(const std::string& path) override;
  Trouble password_file(const std::string& path) override;
  Trouble key_file(const std::string& path) override;
};

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_CHECK_H_
