#include "daemon/state/state_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace saslatch::state {
namespace {

// "slch" in the header of the file, so that file(1) and we know it, and the version of the tables.
constexpr int kApplicationId = 0x736c6368;
constexpr int kVersion = 1;
// An administrator with sqlite3(1) may hold the file for a moment; answers wait meanwhile.
constexpr int kBusyMilliseconds = 250;
// Pages in the write-ahead log before it is folded into the file: 16 MB.
constexpr const char* kSchema =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA wal_autocheckpoint = 4000;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS locks (key INTEGER PRIMARY KEY, rule_id INTEGER NOT NULL,"
    "  subject TEXT NOT NULL, reason TEXT NOT NULL, until INTEGER NOT NULL,"
    "  lasts INTEGER NOT NULL, level INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS familiar (user_key INTEGER NOT NULL, network TEXT NOT NULL,"
    "  at INTEGER NOT NULL, PRIMARY KEY (user_key, network)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS counters (key INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "COMMIT;";

int64_t stored(uint64_t key) { return static_cast<int64_t>(key); }

int64_t stored(policy::Time time) { return time.time_since_epoch().count(); }

policy::Time time_of(int64_t value) { return policy::Time(std::chrono::microseconds(value)); }

// Absent is the source without a rip.
std::string stored(const std::optional<Network>& network) {
  return network ? network->to_string() : std::string();
}

bool is_damage(int code) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR:  // no such column: not our tables
    case SQLITE_MISMATCH:
      return true;
    default:
      return false;
  }
}

}  // namespace

// One prepared statement, bound by position. Every member answers whether it worked.
class StateFile::Statement {
 public:
  Statement(sqlite3* database, const char* sql) {
    if (sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr) != SQLITE_OK)
      statement_ = nullptr;
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  explicit operator bool() const { return statement_ != nullptr; }
  Statement& bind(int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Statement& bind_text(const std::string& value) {
    sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind_blob(std::string_view value) {
    sqlite3_bind_blob(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }
  // Runs a statement without rows, and makes it ready for the next values.
  bool run() {
    if (statement_ == nullptr) return false;
    const bool done = sqlite3_step(statement_) == SQLITE_DONE;
    sqlite3_reset(statement_);
    bound_ = 0;
    return done;
  }
  // SQLITE_ROW while there is one.
  int step() { return statement_ == nullptr ? SQLITE_ERROR : sqlite3_step(statement_); }
  int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  std::string bytes(int column) {
    const void* data = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? std::string()
                           : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

tl::expected<std::unique_ptr<StateFile>, StateFile::Failure> StateFile::open(
    const std::string& path) {
  // SQLite would make it readable for all that the umask leaves; it holds names.
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return tl::unexpected(Failure{Trouble::kUnusable, path + ": " + std::strerror(errno)});
  close(descriptor);
  sqlite3* database = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  std::unique_ptr<StateFile> file(new StateFile(database));
  if (opened != SQLITE_OK) return tl::unexpected(file->failure_now());
  sqlite3_busy_timeout(database, kBusyMilliseconds);
  if (auto failure = file->prepare_schema()) return tl::unexpected(std::move(*failure));
  return file;
}

tl::expected<std::unique_ptr<StateFile>, StateFile::Failure> StateFile::open_for_reading(
    const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool is_plain = c != '?' && c != '#' && c != '%';
    uri += is_plain ? std::string(1, c) : c == '?' ? "%3f" : c == '#' ? "%23" : "%25";
  }
  uri += "?immutable=1";
  sqlite3* database = nullptr;
  const int opened =
      sqlite3_open_v2(uri.c_str(), &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
  std::unique_ptr<StateFile> file(new StateFile(database));
  if (opened != SQLITE_OK) return tl::unexpected(file->failure_now());
  return file;
}

std::optional<StateFile::Failure> StateFile::check(const std::string& path) {
  const auto file = open(path);
  if (!file) return file.error();
  Statement statement((*file)->database_, "PRAGMA quick_check(1)");
  if (statement.step() != SQLITE_ROW) return (*file)->failure_now();
  const std::string said = statement.bytes(0);
  if (said == "ok") return std::nullopt;
  return Failure{Trouble::kDamaged, said};
}

StateFile::~StateFile() { sqlite3_close_v2(database_); }

StateFile::Failure StateFile::failure_now() const {
  if (database_ == nullptr) return {Trouble::kUnusable, "out of memory"};
  const int code = sqlite3_errcode(database_);
  return {is_damage(code) ? Trouble::kDamaged : Trouble::kUnusable, sqlite3_errmsg(database_)};
}

std::optional<StateFile::Failure> StateFile::prepare_schema() {
  int64_t application = 0, version = 0, tables = 0;
  for (const auto& [sql, value] : {std::pair("PRAGMA application_id", &application),
                                   std::pair("PRAGMA user_version", &version),
                                   std::pair("SELECT count(*) FROM sqlite_schema", &tables)}) {
    Statement statement(database_, sql);
    if (statement.step() != SQLITE_ROW) return failure_now();
    *value = statement.integer(0);
  }
  if (tables > 0 && (application != kApplicationId || version != kVersion))
    return Failure{Trouble::kDamaged, "not a state file of this version"};
  const std::string mark = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                           ";PRAGMA user_version = " + std::to_string(kVersion);
  if (tables == 0 && !run(mark.c_str())) return failure_now();
  if (!run(kSchema)) {
    const Failure failure = failure_now();
    run("ROLLBACK");
    return failure;
  }
  return std::nullopt;
}

bool StateFile::run(const char* sql) {
  return sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

tl::expected<std::optional<policy::HashKey>, StateFile::Failure> StateFile::key() {
  Statement statement(database_, "SELECT value FROM meta WHERE name = 'subject-key'");
  const int step = statement.step();
  if (step == SQLITE_DONE) return std::nullopt;
  if (step != SQLITE_ROW) return tl::unexpected(failure_now());
  const std::string bytes = statement.bytes(0);
  policy::HashKey key{};
  if (bytes.size() != key.size())
    return tl::unexpected(Failure{Trouble::kDamaged, "the key of the subjects is damaged"});
  std::memcpy(key.data(), bytes.data(), key.size());
  return key;
}

std::optional<StateFile::Failure> StateFile::load(
    const std::function<bool(const policy::Change&)>& change,
    const std::function<bool(policy::CounterRecord)>& counter) {
  Statement locks(database_,
                  "SELECT key, rule_id, subject, reason, until, lasts, level FROM locks");
  int step = 0;
  while ((step = locks.step()) == SQLITE_ROW) {
    policy::LockRecord record;
    record.key = static_cast<uint64_t>(locks.integer(0));
    record.rule_id = static_cast<uint64_t>(locks.integer(1));
    record.subject = locks.bytes(2);
    record.reason = locks.bytes(3);
    record.until = time_of(locks.integer(4));
    record.lasts = policy::Duration(locks.integer(5));
    record.level = static_cast<uint32_t>(locks.integer(6));
    if (!change(record)) unwanted_changes_.emplace_back(policy::LockCleared{record.key});
  }
  if (step != SQLITE_DONE) return failure_now();
  Statement familiar(database_, "SELECT user_key, network, at FROM familiar ORDER BY at");
  while ((step = familiar.step()) == SQLITE_ROW) {
    policy::FamiliarRecord record;
    record.user_key = static_cast<uint64_t>(familiar.integer(0));
    const std::string text = familiar.bytes(1);
    const auto network = Network::parse(text);
    if (!text.empty() && !network)
      return Failure{Trouble::kDamaged, "a familiar network is damaged"};
    if (network) record.network = *network;
    record.at = time_of(familiar.integer(2));
    if (!change(record))
      unwanted_changes_.emplace_back(policy::FamiliarDropped{record.user_key, record.network});
  }
  if (step != SQLITE_DONE) return failure_now();
  Statement counters(database_, "SELECT key, bytes FROM counters");
  while ((step = counters.step()) == SQLITE_ROW) {
    policy::CounterRecord record{static_cast<uint64_t>(counters.integer(0)), counters.bytes(1)};
    const uint64_t key = record.key;
    if (!counter(std::move(record))) unwanted_counters_.push_back({key, {}});
  }
  if (step != SQLITE_DONE) return failure_now();
  return std::nullopt;
}

bool StateFile::write_changes(const std::vector<policy::Change>& changes) {
  Statement lock(database_, "INSERT OR REPLACE INTO locks VALUES (?, ?, ?, ?, ?, ?, ?)");
  Statement unlock(database_, "DELETE FROM locks WHERE key = ?");
  Statement know(database_, "INSERT OR REPLACE INTO familiar VALUES (?, ?, ?)");
  Statement forget(database_, "DELETE FROM familiar WHERE user_key = ? AND network = ?");
  if (!lock || !unlock || !know || !forget) return false;
  for (const policy::Change& change : changes) {
    bool done = true;
    if (const auto* record = std::get_if<policy::LockRecord>(&change)) {
      done = lock.bind(stored(record->key))
                 .bind(stored(record->rule_id))
                 .bind_text(record->subject)
                 .bind_text(record->reason)
                 .bind(stored(record->until))
                 .bind(record->lasts.count())
                 .bind(record->level)
                 .run();
    } else if (const auto* cleared = std::get_if<policy::LockCleared>(&change)) {
      done = unlock.bind(stored(cleared->key)).run();
    } else if (const auto* familiar = std::get_if<policy::FamiliarRecord>(&change)) {
      done = know.bind(stored(familiar->user_key))
                 .bind_text(stored(familiar->network))
                 .bind(stored(familiar->at))
                 .run();
    } else if (const auto* dropped = std::get_if<policy::FamiliarDropped>(&change)) {
      done = forget.bind(stored(dropped->user_key)).bind_text(stored(dropped->network)).run();
    } else {
      done = run("DELETE FROM locks");
    }
    if (!done) return false;
  }
  return true;
}

bool StateFile::write_counters(const std::vector<policy::CounterRecord>& counters) {
  Statement keep(database_, "INSERT OR REPLACE INTO counters VALUES (?, ?)");
  Statement forget(database_, "DELETE FROM counters WHERE key = ?");
  if (!keep || !forget) return false;
  for (const policy::CounterRecord& record : counters) {
    const bool done = record.bytes.empty()
                          ? forget.bind(stored(record.key)).run()
                          : keep.bind(stored(record.key)).bind_blob(record.bytes).run();
    if (!done) return false;
  }
  return true;
}

bool StateFile::write(const std::vector<policy::Change>& changes,
                      const std::vector<policy::CounterRecord>& counters) {
  // What load() found unwanted goes first: it may have come again since.
  return write_changes(unwanted_changes_) && write_counters(unwanted_counters_) &&
         write_changes(changes) && write_counters(counters);
}

std::optional<StateFile::Failure> StateFile::commit(
    const std::vector<policy::Change>& changes,
    const std::vector<policy::CounterRecord>& counters) {
  if (run("BEGIN IMMEDIATE") && write(changes, counters) && run("COMMIT")) {
    unwanted_changes_.clear();
    unwanted_counters_.clear();
    return std::nullopt;
  }
  const Failure failure = failure_now();
  run("ROLLBACK");
  return failure;
}

std::optional<StateFile::Failure> StateFile::replace(
    const policy::HashKey& key, const std::vector<policy::Change>& changes,
    const std::vector<policy::CounterRecord>& counters) {
  unwanted_changes_.clear();
  unwanted_counters_.clear();
  const auto write_all = [&] {
    Statement put(database_, "INSERT OR REPLACE INTO meta VALUES ('subject-key', ?)");
    return put && put.bind_blob({reinterpret_cast<const char*>(key.data()), key.size()}).run() &&
           run("DELETE FROM locks; DELETE FROM familiar; DELETE FROM counters") &&
           write(changes, counters);
  };
  if (run("BEGIN IMMEDIATE") && write_all() && run("COMMIT")) return std::nullopt;
  const Failure failure = failure_now();
  run("ROLLBACK");
  return failure;
}

}  // namespace saslatch::state
