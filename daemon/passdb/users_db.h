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
//   meta           key, value: `key-check`, sealed under the key file, tells whether it is the
//   right
//                  one
//   accounts       name, whether enabled, when made and changed (seconds since 1970)
//   credentials    those of an account, in the order they are tried; `kind` says how `data` is
//   kept:
//                  `hash`    "{SCHEME}data", as it stands
//                  `sealed`  the same, sealed with AES-256-GCM under the key file: what is as good
//                            as a password (CRAM-MD5, PLAIN). Associated data: seal_place()
//   code_owners    accounts, of whichever passdb, that have authorization codes, a word on their
//                  main password, or old passwords: codes_db.h
//   codes          the codes of an owner
//   old_passwords  the main passwords that an owner had
//   account_changes
//                  names of accounts that were changed, the newest thousand changes at least
//
// `user_version` counts the schema's versions. An older program refuses a newer database; a newer
// one upgrades an older database when it opens it for writing, in one transaction, and reads it as
// it is where it cannot write: version 1 has no codes, version 2 does not tell changes.
constexpr int kUsersDbVersion = 3;
// The first versions with codes, and with account_changes.
constexpr int kCodesVersion = 2;
constexpr int kChangesVersion = 3;

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
  int64_t version = kUsersDbVersion;
};

// Opens an existing database for lookups, on a read-only directory too. Makes nothing.
StoreResult<ReadOnlyUsersDb> open_users_db_for_reading(const std::string& state_dir);

// What an error of SQLite means for an administrator.
StoreError store_error(const SqlError& error, const std::string& state_dir);

// Runs `change` (a StoreResult<void>()) in one transaction, which is undone if it or the commit
// fails.
template <typename Change>
StoreResult<void> in_transaction(Database& database, const std::string& state_dir,
                                 const Change& change) {
  const auto broken = [&](const SqlError& error) {
    return tl::unexpected(store_error(error, state_dir));
  };
  if (auto begun = database.run("BEGIN IMMEDIATE"); !begun) return broken(begun.error());
  StoreResult<void> done = change();
  if (done) {
    if (auto committed = database.run("COMMIT"); !committed) done = broken(committed.error());
  }
  if (!done) {
    (void)database.run("ROLLBACK");
    return done;
  }
  // An empty log does no harm where somebody restores the database file alone; if a reader is in
  // the way, the next change does it.
  (void)database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return done;
}

// Around so many changes inside one transaction that noting each in account_changes would take
// longer than they do: a note that there was something takes their place.
constexpr uint64_t kManyChanges = 1000;
SqlResult<void> begin_many_changes(Database& database);
SqlResult<void> end_many_changes(Database& database);

// What a sealed credential is tied to, so that it opens in its own row's place only.
[[nodiscard]] std::string seal_place(std::string_view account);

// Whether any credential or code depends on the key file.
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
