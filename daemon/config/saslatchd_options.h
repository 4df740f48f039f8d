#ifndef SASLATCH_DAEMON_CONFIG_SASLATCHD_OPTIONS_H_
#define SASLATCH_DAEMON_CONFIG_SASLATCHD_OPTIONS_H_

#include <ostream>
#include <span>
#include <string>

#include "daemon/config/check.h"
#include "protocol/base/result.h"

namespace saslatch::config {

inline constexpr const char* kDefaultConfigFile = "/etc/saslatch/saslatch.conf";

// saslatchd's command line. Its commands end with an exit code of sysexits.h.
struct SaslatchdOptions {
  enum class Command { kRun, kCheck, kDumpConfig, kVersion, kHelp };
  Command command = Command::kRun;
  std::string config_file = kDefaultConfigFile;
};

// `arguments` without the program's name. The error says what is accepted; exit with EX_USAGE.
// Options are not abbreviated, so that a new one cannot change what an old script says.
Result<SaslatchdOptions> parse_saslatchd_options(std::span<const char* const> arguments);

// What --help and --version print.
std::string saslatchd_help();
std::string saslatchd_version();

// A configuration file with all that is wrong with it: what parse() finds and, if that is no error,
// what check() finds.
struct LoadedConfig {
  Config config;                  // to be used only if `usable`
  std::vector<Problem> problems;  // in order of lines
  bool usable = false;
};

// For start, reload and --check alike. `environment` null: only what the text says; the daemon
// starts so, since a passdb that is down must not keep it from starting. An unreadable file is one
// problem.
LoadedConfig load_config(const std::string& file, Environment* environment);

// --check: every problem to `err`, one a line, then how many; or to `out` that there is none.
// Returns EX_CONFIG if there is an error, else EX_OK.
int run_check(const std::string& file, Environment& environment, std::ostream& out,
              std::ostream& err);

// --dump-config: the configuration to `out`, or its problems to `err` and EX_CONFIG.
int run_dump_config(const std::string& file, std::ostream& out, std::ostream& err);

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_SASLATCHD_OPTIONS_H_
