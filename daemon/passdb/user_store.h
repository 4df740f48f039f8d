#ifndef SASLATCH_DAEMON_PASSDB_USER_STORE_H_
#define SASLATCH_DAEMON_PASSDB_USER_STORE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/passdb/store_error.h"
#include "protocol/base/random.h"

namespace saslatch::passdb {

// How long a command waits for another one that is writing.
constexpr std::chrono::milliseconds kBusyWait{5000};

struct NewPassword {
  std::string_view password;   // borrowed
  std::string_view scheme;     // of password::creatable_schemes(); empty: the default
  bool with_cram_md5 = false;  // also keep a sealed CRAM-MD5 context: where CRAM-MD5 is offered and
                               // was not refused with --no-cram-md5
};

// What may be shown of an account; no credential is in it.
struct StoredUser {
  std::string name;
  bool enabled = true;
  std::chrono::system_clock::time_point created;  // whole seconds
  std::chrono::system_clock::time_point changed;  // password or enabled
  std::vector<std::string> schemes;               // "ARGON2ID", "CRAM-MD5"; empty: cannot log in
};

struct ImportOptions {
  std::string_view default_scheme = "CRYPT";  // of passwords without a {SCHEME}
  bool lowercase = true;                      // names, as [usernames] has it
  bool replace = false;                       // an existing account gets the file's credentials
  bool keep_codes = false;                    // ... and keeps its authorization codes
};

struct ImportSummary {
  uint64_t added = 0;
  uint64_t replaced = 0;
  uint64_t codes_revoked = 0;
  // Fields that say nothing about logging in and are not kept (uid, gid, home, userdb_*), counted.
  std::map<std::string, uint64_t> dropped;
};

// The administrator's side of the embedded database, STATE-DIR/users.db: what `saslatch user` does,
// whether or not a daemon runs. Each change is one transaction, on disk before the call returns:
// kill -9 leaves an account whole or absent. A running daemon sees it at its next lookup.
//
// Names are stored as given: the caller has normalised them as [usernames] says. Blocks on the disk
// and, in add() and set_password(), on the hash. Not thread-safe: one object, one thread.
class UserStore {
 public:
  // Opens STATE-DIR/users.db and makes it and STATE-DIR/secret.key if they are not there (mode
  // 0600; made by root they belong to the owner of the state directory). The directory itself must
  // exist. `random` outlives the object.
  static StoreResult<std::unique_ptr<UserStore>> open(const std::string& state_dir, Random& random);
  ~UserStore();
  UserStore(const UserStore&) = delete;
  UserStore& operator=(const UserStore&) = delete;

  using Time = std::chrono::system_clock::time_point;

  StoreResult<void> add(std::string_view name, const NewPassword& password, Time now);
  // Replaces all credentials of the account, remembers the old ones for a while (codes_db.h), and
  // revokes its authorization codes unless `keep_codes`; how many.
  StoreResult<uint64_t> set_password(std::string_view name, const NewPassword& password, Time now,
                                     bool keep_codes = false);
  // No error if it is so already.
  StoreResult<void> set_enabled(std::string_view name, bool enabled, Time now);
  // Its authorization codes go with it.
  StoreResult<void> remove(std::string_view name);

  StoreResult<StoredUser> show(std::string_view name);
  // Every account that matches `mask` (`*` and `?`, case-insensitive), by name, until `each`
  // returns false; all of one moment.
  StoreResult<void> list(std::string_view mask, const std::function<bool(const StoredUser&)>& each);

  // Takes a passwd-file (Dovecot's format), all of it or nothing: on an error the message lists
  // each bad line, at most kMaxImportErrors of them. Of the extra fields `nologin` and `fail`
  // import a disabled account; every other one that concerns logging in is an error, since it
  // cannot be kept here and must not be lost unseen. PLAIN and CRAM-MD5 are stored sealed.
  StoreResult<ImportSummary> import(std::string_view passwd_file, const ImportOptions& options,
                                    Time now);
  static constexpr int kMaxImportErrors = 20;

 private:
  class Impl;
  explicit UserStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_USER_STORE_H_
