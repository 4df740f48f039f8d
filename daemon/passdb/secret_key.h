#ifndef SASLATCH_DAEMON_PASSDB_SECRET_KEY_H_
#define SASLATCH_DAEMON_PASSDB_SECRET_KEY_H_

#include <string>

#include "daemon/passdb/store_error.h"
#include "protocol/base/random.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// STATE-DIR/secret.key: 32 random bytes, mode 0600, that seal what must not be readable in a copy
// of the database alone. Lost, the sealed credentials are lost; the hashes are not.

[[nodiscard]] std::string secret_key_path(const std::string& state_dir);

// The key; kNoSuchAccount is never returned. Errors: kCantCreate if the file is not there,
// kPermission if it may not be read or others may read it, kBroken if it is no key.
StoreResult<Secret> load_secret_key(const std::string& state_dir);

// The key, made and on disk if it was not there. Of two programs that make it at once, both get the
// first one's. Made by root, it belongs to the owner of the state directory.
StoreResult<Secret> load_or_create_secret_key(const std::string& state_dir, Random& random);

// Opens `path` for writing as a new file, mode 0600, of the owner of `directory` if root makes it.
// -1 with errno, EEXIST if it is there.
int create_private_file(const std::string& path, const std::string& directory);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_SECRET_KEY_H_
