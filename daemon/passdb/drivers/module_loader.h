#ifndef SASLATCH_DAEMON_PASSDB_DRIVERS_MODULE_LOADER_H_
#define SASLATCH_DAEMON_PASSDB_DRIVERS_MODULE_LOADER_H_

#include <string>
#include <string_view>

#include "daemon/passdb/module.h"
#include "protocol/base/result.h"

namespace saslatch::passdb {

// Where the modules of this installation are: LIBDIR/saslatch/passdb.
[[nodiscard]] std::string installed_module_dir();

// Loads DIRECTORY/NAME.so, or finds it loaded; it stays so until the process ends, since objects
// and threads of it may live as long. `directory` empty: installed_module_dir(). `name` is of
// module_of() and nobody's input. The error says what is wrong and what to install. Thread-safe.
[[nodiscard]] Result<const PassdbModule*> load_passdb_module(const std::string& directory,
                                                             std::string_view name);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_DRIVERS_MODULE_LOADER_H_
