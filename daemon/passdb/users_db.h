#ifndef SASLATCH_DAEMON_PASSDB_USERS_DB_H_
#define SASLATCH_DAEMON_PASSDB_USERS_DB_H_

#include <string>
#include <string_view>

#include "daemon/passdb/sqlite.h"
#include "daemon/passdb/store_error.h"
#include "protocol/base/random.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// STATE-DIR/users.db, what UserStore and EmbeddedPassdb share: where it is, what is in it, and how
// it is opened. SQLite in WAL mode, so that lookups never wait for a command that writes.
//
//   meta         key, value: `key-check`, sealed under the key file, tells whether it is the right
//   one accounts     name, whether enabled, when made and changed (seconds since 1970) credentials
//   those of an account, in the order they are tried; `kind` says how `data` is kept:
//                `hash`    "{SCHEME}data", as it stands
//                `sealed`  the same, sealed with AES-256-GCM under the key file: what is as good as
//                a
//                          password (CRAM-MD5, PLAIN). Associated data: seal_place()
//
// `user_version` counts the schema's versions. An older program refuses a newer database.
constexpr int kUsersDbVersion = 1;

// More credentials than this are not read: each may cost a hash.
constexpr int kMaxCredentials = 32;

[[nodiscard]] std::string users_db_path(const std::string& state_dir);

// Opens the database for writing, and makes it with its tables if it is not there. Safe against
// another program that does the same, and against kill -9 at any point.
StoreResult<Database> open_users_db_for_writing(const std::string& state_dir);

struct ReadOnlyUsersDb {
  Database database;
  // The directory could not be written to, and the file was read as one that never changes: the
  // connection sees no later change and must be used once only.
  bool frozen = false;
};

// Opens an existing database for lookups, on a read-only directory too. Makes nothing.
StoreResult<ReadOnlyUsersDb> open_users_db_for_reading(const std::string& state_dir);

// What an error of SQLite means for an administrator.
StoreError store_error(const SqlError& error, const std::string& state_dir);

// What a sealed credential is tied to, so that it opens in its own row's place only.
[[nodiscard]] std::string seal_place(std::string_view account);

// Whether any credential depends on the key file.
SqlResult<bool> has_sealed(Database& database);

// What to tell an administrator whose key file is not the one of his database.
[[nodiscard]] std::string wrong_key(const std::string& state_dir);

enum class KeyCheck { kRight, kWrong, kNone };

// Whether `key` is the one that this database's sealed credentials were sealed with; kNone: nothing
// was ever sealed.
SqlResult<KeyCheck> check_key(Database& database, const Secret& key);

struct SealingKey {
  Secret key;
  bool is_noted = false;  // the database knows it: check_key() says kRight
};

// The key of this database, made if nothing was sealed yet and the file is not there. kBroken if
// the file is missing or another one although sealed credentials depend on it.
StoreResult<SealingKey> key_for(Database& database, const std::string& state_dir, Random& random);

// Notes `key` as the one that check_key() finds right.
SqlResult<void> note_key(Database& database, const Secret& key, Random& random);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_USERS_DB_H_
