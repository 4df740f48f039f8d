#include "daemon/passdb/account_memory.h"

#include <mutex>
#include <set>

#include "daemon/passdb/users_db.h"

namespace saslatch::passdb {
namespace {

constexpr std::string_view kNewest = "SELECT max(serial) FROM account_changes";
constexpr std::string_view kChanges =
    "SELECT serial, name FROM account_changes WHERE serial > ?1 ORDER BY serial";
constexpr std::string_view kAccount = "SELECT id, enabled FROM accounts WHERE name = ?1";
constexpr std::string_view kCredentials =
    "SELECT kind, data FROM credentials WHERE account = ?1 ORDER BY serial LIMIT ?2";
// Side by side, each in the order of its tree: a join would search the second for every account.
constexpr std::string_view kAllAccounts = "SELECT id, name, enabled FROM accounts ORDER BY id";
constexpr std::string_view kAllCredentials =
    "SELECT account, kind, data FROM credentials ORDER BY account, serial";

// What an account takes at least, its slots included: spares reading what cannot fit.
constexpr size_t kLeastAccount = 48;

// All that it reads is of one moment.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database)
      : database_(database), begun_(database.run("BEGIN")) {}
  ~ReadTransaction() { (void)database_.run("ROLLBACK"); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;
  [[nodiscard]] bool begun() const { return begun_.has_value(); }

 private:
  Database& database_;
  SqlResult<void> begun_;
};

}  // namespace

bool AccountMemory::wants_load() const {
  const std::shared_lock lock(mutex_);
  return !table_ || table_->is_wasteful();
}

void AccountMemory::drop() {
  const std::unique_lock lock(mutex_);
  table_.reset();
}

bool AccountMemory::catch_up(Database& database) {
  const std::unique_lock lock(mutex_);
  if (!table_) return false;
  const ReadTransaction transaction(database);
  const auto read = transaction.begun() ? read_changes(database) : false;
  if (read && *read) return true;
  table_.reset();
  return false;
}

SqlResult<bool> AccountMemory::read_changes(Database& database) {
  auto changes = database.prepare(kChanges);
  auto account = database.prepare(kAccount);
  auto credentials = database.prepare(kCredentials);
  for (const auto* const statement : {&changes, &account, &credentials}) {
    if (!*statement) return tl::unexpected(statement->error());
  }
  std::set<std::string> names;
  int64_t upto = upto_;
  changes->integer(1, upto_);
  for (;;) {
    const auto row = changes->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    // Those before it are gone: what they said is not known.
    if (changes->column_integer(0) != upto + 1) return false;
    ++upto;
    names.emplace(changes->column(1));
  }
  AccountRecord record;
  for (const std::string& name : names) {
    const auto known = account->text(1, name).step();
    if (!known) return tl::unexpected(known.error());
    if (!*known) {
      if (!table_->forget(name)) return false;
      account->reset();
      continue;
    }
    record.begin(account->column_integer(1) != 0);
    credentials->integer(1, account->column_integer(0)).integer(2, kMaxCredentials);
    for (;;) {
      const auto row = credentials->step();
      if (!row) return tl::unexpected(row.error());
      if (!*row) break;
      record.add(credentials->column(0) == "sealed", credentials->column(1));
    }
    credentials->reset();
    account->reset();
    if (!table_->put(name, record.bytes())) return false;
  }
  upto_ = upto;
  return true;
}

bool AccountMemory::load(Database& database) {
  drop();  // never two of them at a time
  const ReadTransaction transaction(database);
  if (!transaction.begun()) return false;
  const auto newest = database.query_integer(kNewest);
  const auto count = database.query_integer("SELECT count(*) FROM accounts");
  if (!newest || !count) return false;
  if (static_cast<uint64_t>(*count) > max_bytes_ / kLeastAccount) return false;
  AccountTable table(static_cast<uint64_t>(*count), max_bytes_);
  const auto read = read_all(database, table);
  if (!read || !*read) return false;
  const std::unique_lock lock(mutex_);
  table_.emplace(std::move(table));
  upto_ = *newest;
  return true;
}

SqlResult<bool> AccountMemory::read_all(Database& database, AccountTable& table) {
  auto accounts = database.prepare(kAllAccounts);
  auto credentials = database.prepare(kAllCredentials);
  if (!accounts) return tl::unexpected(accounts.error());
  if (!credentials) return tl::unexpected(credentials.error());
  auto credential = credentials->step();
  AccountRecord record;
  for (;;) {
    const auto account = accounts->step();
    if (!account) return tl::unexpected(account.error());
    if (!*account) return true;
    const int64_t id = accounts->column_integer(0);
    record.begin(accounts->column_integer(2) != 0);
    int taken = 0;
    for (; credential && *credential && credentials->column_integer(0) <= id;
         credential = credentials->step()) {
      if (credentials->column_integer(0) < id) continue;  // of no account
      if (++taken > kMaxCredentials) continue;
      record.add(credentials->column(1) == "sealed", credentials->column(2));
    }
    if (!credential) return tl::unexpected(credential.error());
    if (!table.put(accounts->column(1), record.bytes())) return false;
  }
}

}  // namespace saslatch::passdb
