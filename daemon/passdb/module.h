#ifndef SASLATCH_DAEMON_PASSDB_MODULE_H_
#define SASLATCH_DAEMON_PASSDB_MODULE_H_

#include <chrono>
#include <functional>
#include <memory>

#include "daemon/audit/log.h"
#include "daemon/passdb/passdb.h"
#include "daemon/passdb/settings/settings.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// What every driver is handed besides its settings. The references outlive what is made.
struct PassdbParts {
  Log& log;
  Random& random;
  std::function<std::chrono::steady_clock::time_point()> clock;  // thread-safe
  // [policy] max-hold: an answer that comes later is of no use.
  std::chrono::milliseconds max_hold;
  bool lowercase;  // [usernames] lowercase: applies to names that a passdb gives, too
  // Reads a password-file, at each connect, so that a changed password needs no reload. The error
  // is a reason without the path. Thread-safe.
  std::function<Result<Secret>(const std::string& path)> read_password_file;
};

// A driver that needs a foreign library is a module, MODULE.so, which the daemon loads when a
// section names it. It links whatever it needs, static parts of ours included, and exports one
// function:
//
//     extern "C" const saslatch::passdb::PassdbModule* saslatch_passdb_module();
//
// C++ types cross this border, so the two must have been built of the same headers: `interface` is
// the version and a digest of them (cmake/SaslatchLayers.cmake), and one that is not the daemon's
// own, to the letter, is never called.
struct PassdbModule {
  const char* interface;
  // Makes the passdb of a section. Waits for nothing: what is far away is asked for later, by
  // find() or check_usable(). The error is for an administrator. Does not throw.
  Result<std::shared_ptr<Passdb>> (*make)(const PassdbSettings& settings, const PassdbParts& parts);
};

using PassdbModuleEntry = const PassdbModule* (*)();
inline constexpr const char* kPassdbModuleEntry = "saslatch_passdb_module";

}  // namespace saslatch::passdb

// Once in a module, outside of any namespace.
#define SASLATCH_PASSDB_MODULE(make_function)                                            \
  extern "C" const saslatch::passdb::PassdbModule* saslatch_passdb_module();             \
  extern "C" const saslatch::passdb::PassdbModule* saslatch_passdb_module() {            \
    static const saslatch::passdb::PassdbModule module{SASLATCH_PASSDB_MODULE_INTERFACE, \
                                                       make_function};                   \
    return &module;                                                                      \
  }

#endif  // SASLATCH_DAEMON_PASSDB_MODULE_H_
