#include "daemon/passdb/users_db.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "daemon/passdb/secret_key.h"
#include "daemon/passdb/user_store.h"
#include "protocol/base/crypto/aead.h"

namespace saslatch::passdb {
namespace {

using Kind = StoreError::Kind;

// A lookup waits for a lock only while SQLite mends the log of a killed writer. Well inside
// `max-hold`.
constexpr std::chrono::milliseconds kLookupBusyWait{1000};

// "Sasl": tells our database from any other SQLite file.
constexpr int kApplicationId = 0x5361736c;

constexpr char kSchema[] = R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY NOT NULL,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  created INTEGER NOT NULL,
  changed INTEGER NOT NULL
) STRICT;
CREATE TABLE credentials (
  account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  serial INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('hash', 'sealed')),
  scheme TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (account, serial)
) STRICT, WITHOUT ROWID;
)sql";

// What version 2 added to version 1. Owners are never given an id twice, so that whoever has seen
// one knows which came later. `serial` is a code's number as people see it, counted per owner.
constexpr char kCodesSchema[] = R"sql(
CREATE TABLE code_owners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  main_password TEXT NOT NULL DEFAULT '',
  last_serial INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE codes (
  owner INTEGER NOT NULL REFERENCES code_owners (id) ON DELETE CASCADE,
  hash BLOB NOT NULL,
  serial INTEGER NOT NULL,
  label TEXT NOT NULL,
  created INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires INTEGER,
  revoked INTEGER,
  services TEXT NOT NULL,
  networks TEXT NOT NULL,
  sealed BLOB,
  used INTEGER,
  used_rip TEXT,
  used_service TEXT,
  PRIMARY KEY (owner, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE old_passwords (
  owner INTEGER NOT NULL REFERENCES code_owners (id) ON DELETE CASCADE,
  serial INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('hash', 'sealed', 'learned')),
  data BLOB NOT NULL,
  replaced INTEGER NOT NULL,
  PRIMARY KEY (owner, serial)
) STRICT, WITHOUT ROWID;
)sql";

// What version 3 added: who keeps accounts in memory reads here which of them to read again. The
// bound is what somebody who was away may have missed without reading all accounts anew.
constexpr char kChangesSchema[] = R"sql(
CREATE TABLE account_changes (
  serial INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL
) STRICT;
)sql";
// By triggers, so that whatever program changes an account tells of it.
constexpr char kTellChanges[] = R"sql(
CREATE TRIGGER account_changes_bound AFTER INSERT ON account_changes WHEN new.serial % 500 = 0 BEGIN
  DELETE FROM account_changes WHERE serial <= new.serial - 1000;
END;
CREATE TRIGGER account_added AFTER INSERT ON accounts BEGIN
  INSERT INTO account_changes (name) VALUES (new.name);
END;
CREATE TRIGGER account_changed AFTER UPDATE OF id, name, enabled ON accounts BEGIN
  INSERT INTO account_changes (name) VALUES (old.name), (new.name);
END;
CREATE TRIGGER account_removed AFTER DELETE ON accounts BEGIN
  INSERT INTO account_changes (name) VALUES (old.name);
END;
CREATE TRIGGER credential_added AFTER INSERT ON credentials BEGIN
  INSERT INTO account_changes (name) SELECT name FROM accounts WHERE id = new.account;
END;
CREATE TRIGGER credential_changed AFTER UPDATE ON credentials BEGIN
  INSERT INTO account_changes (name)
  SELECT name FROM accounts WHERE id IN (old.account, new.account);
END;
CREATE TRIGGER credential_removed AFTER DELETE ON credentials BEGIN
  INSERT INTO account_changes (name) SELECT name FROM accounts WHERE id = old.account;
END;
)sql";
constexpr char kTellNoChanges[] = R"sql(
DROP TRIGGER account_changes_bound;
DROP TRIGGER account_added;
DROP TRIGGER account_changed;
DROP TRIGGER account_removed;
DROP TRIGGER credential_added;
DROP TRIGGER credential_changed;
DROP TRIGGER credential_removed;
)sql";
// A number is left out: whoever follows sees that he has missed something.
constexpr char kTellGap[] = R"sql(
INSERT INTO account_changes (serial, name)
SELECT coalesce(max(seq), 0) + 2, '' FROM sqlite_sequence WHERE name = 'account_changes';
)sql";

constexpr std::string_view kKeyCheckPlace = "saslatch key-check";
constexpr std::string_view kKeyCheckText = "this is the key";

// Whether a file that another program left is ours, and made by no newer version.
StoreResult<int64_t> version_of(Database& database, const std::string& state_dir) {
  const auto version = database.query_integer("PRAGMA user_version");
  if (!version) return tl::unexpected(store_error(version.error(), state_dir));
  const auto application = database.query_integer("PRAGMA application_id");
  if (!application) return tl::unexpected(store_error(application.error(), state_dir));
  const std::string path = users_db_path(state_dir);
  if (*version > kUsersDbVersion && *application == kApplicationId) {
    return store_failure(Kind::kBroken, path + " was made by a newer saslatch (version " +
                                            std::to_string(*version) + "; known: up to " +
                                            std::to_string(kUsersDbVersion) +
                                            "); install that one again");
  }
  if (*version != 0 && *application != kApplicationId) {
    return store_failure(Kind::kBroken, path + " is a database of another program; move it away");
  }
  return *version;
}

// Makes the tables that are missing: all of them, or those that later versions added. One
// transaction, so that kill -9 leaves a database of the one version or of the other.
SqlResult<void> make_tables(Database& database) {
  if (auto begun = database.run("BEGIN IMMEDIATE"); !begun) return begun;
  // Another program may have made them while we waited for the lock.
  const auto version = database.query_integer("PRAGMA user_version");
  SqlResult<void> made;
  if (!version) made = tl::unexpected(version.error());
  if (made && *version < 1) made = database.run(kSchema);
  if (made && *version < kCodesVersion) made = database.run(kCodesSchema);
  if (made && *version < kChangesVersion) made = database.run(kChangesSchema);
  if (made && *version < kChangesVersion) made = database.run(kTellChanges);
  if (made && *version < kUsersDbVersion) {
    const std::string stamp = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                              "; PRAGMA user_version = " + std::to_string(kUsersDbVersion);
    made = database.run(stamp.c_str());
  }
  if (made) made = database.run("COMMIT");
  if (!made) (void)database.run("ROLLBACK");
  return made;
}

// A short file of another kind would be taken for an empty database, and overwritten; of a longer
// one SQLite says itself that it is none. By its size, not by its first bytes: closing a descriptor
// of the file here would drop the locks of every connection that this process has to it (POSIX),
// and the next program to close the database would take the log away from under them.
bool is_foreign(const std::string& path) {
  constexpr off_t kSmallestPage = 512;
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_size > 0 && status.st_size < kSmallestPage;
}

bool is_not_empty(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

// SQLite takes what is missing of the last page for zeros, and sees no error in them: an account
// that was there would be unknown. A checkpoint on a full disk may leave such a file, too, but then
// the page is in the log as well.
// SQLite is asked for the size of a page, for the reason given at is_foreign().
bool is_cut_short(const std::string& path, Database& database) {
  const auto page = database.query_integer("PRAGMA page_size");
  struct stat status {};
  return page && *page > 0 && stat(path.c_str(), &status) == 0 && status.st_size % *page != 0 &&
         !is_not_empty(path + "-wal");
}

StoreError cut_short(const std::string& path) {
  return {Kind::kBroken, path + " is damaged (it was cut short); restore it from a backup"};
}

std::string as_uri(const std::string& path, std::string_view parameter) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%') {
      uri += "%25";
    } else if (c == '?') {
      uri += "%3f";
    } else if (c == '#') {
      uri += "%23";
    } else {
      uri += c;
    }
  }
  return uri.append(parameter);
}

}  // namespace

std::string users_db_path(const std::string& state_dir) { return state_dir + "/users.db"; }

StoreError store_error(const SqlError& error, const std::string& state_dir) {
  const std::string path = users_db_path(state_dir);
  const std::string said = " (" + error.text + ")";
  switch (error.primary()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Kind::kBusy, path + " is locked by another program" + said + "; try again"};
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return {Kind::kPermission, path + " or its directory may not be written" + said +
                                     "; run as root or as the directory's owner"};
    case SQLITE_CANTOPEN:
      if (error.system_error == EACCES || error.system_error == EPERM) {
        return {Kind::kPermission,
                path + " may not be opened" + said + "; run as root or as the directory's owner"};
      }
      // There it is the write-ahead log that cannot be made, and SQLite's error is of something
      // else.
      if (access(state_dir.c_str(), W_OK) != 0 && errno == EROFS) {
        return {Kind::kCantCreate, path + " cannot be written: its file system is read-only"};
      }
      return {Kind::kCantCreate, path + " cannot be opened" + said};
    case SQLITE_FULL:
      return {Kind::kBroken, "the disk of " + path + " is full; nothing was changed"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Kind::kBroken, path + " is damaged" + said + "; restore it from a backup"};
    default:
      return {Kind::kBroken, path + ": " + error.text};
  }
}

StoreResult<Database> open_users_db_for_writing(const std::string& state_dir) {
  const std::string path = users_db_path(state_dir);
  const int made = create_private_file(path, state_dir);
  if (made >= 0) {
    close(made);
  } else if (errno != EEXIST) {
    const int error = errno;
    const bool denied = error == EACCES || error == EPERM;
    return store_failure(denied ? Kind::kPermission : Kind::kCantCreate,
                         "cannot make " + path + ": " + std::generic_category().message(error) +
                             (error == ENOENT ? "; make the state directory first" : ""));
  }
  if (is_foreign(path)) {
    return store_failure(Kind::kBroken, path + " is no database; restore it from a backup");
  }
  // The key is made after the tables. Where it is and (asked afterwards) they are not, the file was
  // cut to nothing, and new tables would turn every login into one of an unknown user.
  if (made < 0 && access(secret_key_path(state_dir).c_str(), F_OK) == 0 && !is_not_empty(path)) {
    return store_failure(Kind::kBroken, path +
                                            " is empty, and it was not once; restore it from a " +
                                            "backup, or remove it to begin without users");
  }
  auto database = Database::open(path, SQLITE_OPEN_READWRITE, kBusyWait);
  if (!database) return tl::unexpected(store_error(database.error(), state_dir));
  if (is_cut_short(path, *database)) return tl::unexpected(cut_short(path));
  // FULL: on disk when the command returns. What is deleted is overwritten: it held hashes.
  auto ready = database->run(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
      "PRAGMA secure_delete = ON");
  if (!ready) return tl::unexpected(store_error(ready.error(), state_dir));
  const auto version = version_of(*database, state_dir);
  if (!version) return tl::unexpected(version.error());
  if (*version < kUsersDbVersion) {
    if (auto tables = make_tables(*database); !tables) {
      return tl::unexpected(store_error(tables.error(), state_dir));
    }
  }
  return *std::move(database);
}

StoreResult<ReadOnlyUsersDb> open_users_db_for_reading(const std::string& state_dir) {
  const std::string path = users_db_path(state_dir);
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return store_failure(Kind::kCantCreate,
                         "cannot open " + path + ": " + std::generic_category().message(errno));
  }
  // Reading a WAL database writes to its shared index, so this is tried first, and a read-only
  // directory needs the others. The last reads past a log and is right only where there is none.
  struct Way {
    std::string file;
    int flags;
  };
  const std::string frozen = as_uri(path, "?immutable=1");
  const Way ways[] = {{path, SQLITE_OPEN_READWRITE},
                      {path, SQLITE_OPEN_READONLY},
                      {frozen, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI}};
  StoreError first{Kind::kBroken, ""};
  for (const Way& way : ways) {
    const bool is_frozen = &way == &ways[2];
    if (is_frozen && is_not_empty(path + "-wal")) break;
    auto database = Database::open(way.file, way.flags, kLookupBusyWait);
    // The first statement that reads is what opens the file in truth.
    auto read = database ? database->query_integer("SELECT count(*) FROM sqlite_schema")
                         : tl::unexpected(database.error());
    if (!read) {
      if (first.message.empty()) first = store_error(read.error(), state_dir);
      const int code = read.error().primary();
      if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_PERM) continue;
      break;
    }
    if (is_cut_short(path, *database)) return tl::unexpected(cut_short(path));
    const auto version = version_of(*database, state_dir);
    if (!version) return tl::unexpected(version.error());
    if (*version == 0) {
      return store_failure(Kind::kBroken, path +
                                              " has no tables yet; `saslatch user list` or a "
                                              "start of saslatchd makes them");
    }
    return ReadOnlyUsersDb{*std::move(database), is_frozen, *version};
  }
  return tl::unexpected(std::move(first));
}

SqlResult<void> begin_many_changes(Database& database) { return database.run(kTellNoChanges); }

SqlResult<void> end_many_changes(Database& database) {
  auto done = database.run(kTellChanges);
  return done ? database.run(kTellGap) : done;
}

std::string seal_place(std::string_view account) {
  return std::string("saslatch credential").append(1, '\0').append(account);
}

SqlResult<KeyCheck> check_key(Database& database, const Secret& key) {
  auto query = database.prepare("SELECT value FROM meta WHERE key = 'key-check'");
  if (!query) return tl::unexpected(query.error());
  const auto row = query->step();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return KeyCheck::kNone;
  const auto opened = open_sealed(key, query->column(0), kKeyCheckPlace);
  return opened && opened->reveal() == kKeyCheckText ? KeyCheck::kRight : KeyCheck::kWrong;
}

SqlResult<bool> has_sealed(Database& database) {
  const auto version = database.query_integer("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  const auto sealed = database.query_integer(
      *version < kCodesVersion ? "SELECT EXISTS (SELECT 1 FROM credentials WHERE kind = 'sealed')"
                               : "SELECT EXISTS (SELECT 1 FROM credentials WHERE kind = 'sealed') "
                                 "OR EXISTS (SELECT 1 FROM codes)");
  if (!sealed) return tl::unexpected(sealed.error());
  return *sealed != 0;
}

std::string wrong_key(const std::string& state_dir) {
  return secret_key_path(state_dir) + " is not the key this database was sealed with";
}

StoreResult<SealingKey> key_for(Database& database, const std::string& state_dir, Random& random) {
  const auto sealed = has_sealed(database);
  if (!sealed) return tl::unexpected(store_error(sealed.error(), state_dir));
  auto key = *sealed ? load_secret_key(state_dir) : load_or_create_secret_key(state_dir, random);
  constexpr std::string_view kMend =
      "; restore it from a backup, or set the passwords concerned again with --no-cram-md5 and "
      "make the codes anew";
  if (!key) {
    if (*sealed) key.error().message.append(kMend);
    return tl::unexpected(key.error());
  }
  const auto check = check_key(database, *key);
  if (!check) return tl::unexpected(store_error(check.error(), state_dir));
  if (*check == KeyCheck::kRight) return SealingKey{*std::move(key), true};
  if (*sealed) return store_failure(Kind::kBroken, wrong_key(state_dir).append(kMend));
  return SealingKey{*std::move(key), false};
}

SqlResult<void> note_key(Database& database, const Secret& key, Random& random) {
  auto insert = database.prepare("INSERT OR REPLACE INTO meta VALUES ('key-check', ?1)");
  if (!insert) return tl::unexpected(insert.error());
  const std::string sealed = seal(key, kKeyCheckText, kKeyCheckPlace, random);
  return insert->blob(1, sealed).run();
}

}  // namespace saslatch::passdb
