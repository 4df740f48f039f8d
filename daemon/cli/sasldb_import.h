#ifndef SASLATCH_DAEMON_CLI_SASLDB_IMPORT_H_
#define SASLATCH_DAEMON_CLI_SASLDB_IMPORT_H_

#include "daemon/cli/command.h"
#include "daemon/cli/console.h"
#include "daemon/cli/settings.h"

namespace saslatch::cli {

// `user import --format sasldb FILE`: the accounts of a database of Cyrus SASL, read by the module
// of driver = sasldb. It holds the passwords themselves: each is hashed, and a context for CRAM-MD5
// kept, as `user add` does. Nothing is changed while a name or password cannot be taken; then each
// account is a transaction of its own, since hashing them takes long and others write meanwhile.
ExitCode import_sasldb(const Invocation& invocation, const Settings& settings, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_SASLDB_IMPORT_H_
