#include "daemon/environment.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "daemon/passdb/embedded.h"
#include "daemon/passdb/passwd_file.h"
#include "daemon/password/stored_password.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch {
namespace {

// For questions that need a log and have nothing to log.
class NoLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view,
             std::initializer_list<LogField>) override {}
};

}  // namespace

RealEnvironment::RealEnvironment(std::vector<config::PassdbConfig> running)
    : running_(std::move(running)) {}

config::Environment::Trouble RealEnvironment::scheme(const std::string& name) {
  // No password at all, in that scheme: only the scheme can be wrong with it.
  const auto parsed = password::parse("", name);
  if (!parsed) return parsed.error().message;
  return std::nullopt;
}

config::Environment::Trouble RealEnvironment::passdb(const config::PassdbConfig& passdb,
                                                     const config::DaemonConfig& daemon) {
  if (std::find(running_.begin(), running_.end(), passdb) != running_.end()) return std::nullopt;
  SystemRandom random;
  switch (passdb.driver) {
    case config::PassdbDriver::kEmbedded: {
      // What is not there yet the daemon makes, as its own user.
      std::error_code ignored;
      if (!std::filesystem::exists(daemon.state_dir + "/users.db", ignored)) return std::nullopt;
      const auto ready =
          passdb::EmbeddedPassdb(passdb.name, daemon.state_dir, random).check_usable();
      if (!ready) return ready.error().message;
      return std::nullopt;
    }
    case config::PassdbDriver::kPasswdFile:
      break;
  }
  NoLog log;
  const auto readable =
      passdb::PasswdFilePassdb({passdb.name, passdb.path, passdb.default_scheme, true}, log, random)
          .check_readable();
  if (!readable) return readable.error().message;
  return std::nullopt;
}

uint64_t resident_memory_bytes() {
  std::ifstream statm("/proc/self/statm");  // in pages: size, resident, ...
  uint64_t size = 0;
  uint64_t resident = 0;
  if (!(statm >> size >> resident)) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace saslatch
