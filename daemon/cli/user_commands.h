#ifndef SASLATCH_DAEMON_CLI_USER_COMMANDS_H_
#define SASLATCH_DAEMON_CLI_USER_COMMANDS_H_

#include "daemon/cli/command.h"
#include "daemon/passdb/user_store.h"

namespace saslatch::cli {

// `saslatch user ...`: the embedded database, STATE-DIR/users.db, with or without a daemon. A
// running one sees a change at the next login.
ExitCode user_add(const Invocation& invocation, Console& console);
ExitCode user_passwd(const Invocation& invocation, Console& console);
ExitCode user_list(const Invocation& invocation, Console& console);
ExitCode user_show(const Invocation& invocation, Console& console);
ExitCode user_disable(const Invocation& invocation, Console& console);
ExitCode user_enable(const Invocation& invocation, Console& console);
ExitCode user_delete(const Invocation& invocation, Console& console);
ExitCode user_import(const Invocation& invocation, Console& console);  // user_import.cc

// Says why the store did not do it; the exit code that belongs to that.
ExitCode store_failure(const passdb::StoreError& error, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_USER_COMMANDS_H_
