#ifndef SASLATCH_DAEMON_PASSDB_ACCOUNT_MEMORY_H_
#define SASLATCH_DAEMON_PASSDB_ACCOUNT_MEMORY_H_

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/passdb/account_table.h"
#include "daemon/passdb/sqlite.h"

namespace saslatch::passdb {

// The accounts of users.db in memory, and up to which of its changes (account_changes) they are
// what the database says. Who looks up asks the database for its newest change, which costs no
// tree, and finds the account here; what was changed meanwhile is read again then, and only that.
//
// Holds hashes and sealed credentials as they are stored; nothing is opened in it. Thread-safe.
class AccountMemory {
 public:
  // What it holds at most. About 1.5 million accounts with one SHA-512 hash each; with more of them
  // nothing is held.
  static constexpr size_t kMaxBytes = size_t{256} << 20;

  explicit AccountMemory(size_t max_bytes = kMaxBytes) : max_bytes_(max_bytes) {}

  // Calls use(record) with what the database says of `name` once it has all changes up to
  // `newest`; an empty record: it knows no such account. False, and nothing called, where memory
  // does not know so much.
  template <typename Use>
  bool find(int64_t newest, std::string_view name, const Use& use) const {
    const std::shared_lock lock(mutex_);
    if (!table_ || newest > upto_) return false;
    use(table_->find(name));
    return true;
  }

  // The same, but false too where something is being read into memory: it waits for nothing.
  template <typename Use>
  bool find_now(int64_t newest, std::string_view name, const Use& use) const {
    const std::shared_lock lock(mutex_, std::try_to_lock);
    if (!lock || !table_ || newest > upto_) return false;
    use(table_->find(name));
    return true;
  }

  // Whether it has all changes up to `newest`.
  [[nodiscard]] bool is_upto(int64_t newest) const {
    const std::shared_lock lock(mutex_);
    return table_ && newest <= upto_;
  }

  // Reads again what was changed since. False: that is not known any more, there was no room, or
  // the database cannot be read; load() is wanted then.
  bool catch_up(Database& database);

  // Reads all accounts, a second for a million. False: the database cannot be read, or it holds
  // more than fits. Throws std::bad_alloc.
  bool load(Database& database);

  // Whether load() would be of use: there is nothing, or too much of it is out of date.
  [[nodiscard]] bool wants_load() const;

  // Holds nothing from now on, until load().
  void drop();

 private:
  SqlResult<bool> read_changes(Database& database);
  SqlResult<bool> read_all(Database& database, AccountTable& table);

  const size_t max_bytes_;
  mutable std::shared_mutex mutex_;
  std::optional<AccountTable> table_;
  int64_t upto_ = -1;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_ACCOUNT_MEMORY_H_
