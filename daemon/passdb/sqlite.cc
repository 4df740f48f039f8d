#include "daemon/passdb/sqlite.h"

namespace saslatch::passdb {
namespace {

tl::unexpected<SqlError> error_of(sqlite3* connection, int code) {
  const char* text = connection == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection);
  const int extended = connection == nullptr ? code : sqlite3_extended_errcode(connection);
  const int system_error = connection == nullptr ? 0 : sqlite3_system_errno(connection);
  return tl::unexpected(SqlError{extended, text, system_error});
}

}  // namespace

Statement& Statement::text(int index, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::blob(int index, std::string_view value) {
  sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::integer(int index, int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
  return *this;
}

SqlResult<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return error_of(sqlite3_db_handle(statement_.get()), code);
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

SqlResult<void> Statement::run() {
  auto row = step();
  while (row && *row) row = step();
  reset();
  if (!row) return tl::unexpected(row.error());
  return {};
}

std::string_view Statement::column(int index) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), index);
  const int size = sqlite3_column_bytes(statement_.get(), index);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

int64_t Statement::column_integer(int index) const {
  return sqlite3_column_int64(statement_.get(), index);
}

bool Statement::is_null(int index) const {
  return sqlite3_column_type(statement_.get(), index) == SQLITE_NULL;
}

std::string_view Statement::column_name(int index) const {
  const char* const name = sqlite3_column_name(statement_.get(), index);
  return name == nullptr ? std::string_view() : name;
}

SqlResult<Database> Database::open(const std::string& path_or_uri, int flags,
                                   std::chrono::milliseconds busy) {
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(path_or_uri.c_str(), &connection,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(connection);
  if (code != SQLITE_OK) return error_of(connection, code);
  sqlite3_busy_timeout(connection, static_cast<int>(busy.count()));
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (auto strict = database.run("PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON;");
      !strict) {
    return tl::unexpected(strict.error());
  }
  return database;
}

SqlResult<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(connection_.get(), code);
  return {};
}

void Database::interrupt_when(const std::function<bool()>* is_late, int instructions) {
  const auto ask = [](void* late) {
    return (*static_cast<const std::function<bool()>*>(late))() ? 1 : 0;
  };
  // SQLite hands the pointer back as it is; nothing writes through it.
  sqlite3_progress_handler(connection_.get(), instructions, is_late == nullptr ? nullptr : +ask,
                           const_cast<std::function<bool()>*>(is_late));
}

const volatile uint32_t* Database::shared_index() {
  constexpr int kPageBytes = 32768;  // WALINDEX_PGSZ, of the documented format
  // Without a log the call below would make an index for it.
  auto mode = prepare("PRAGMA journal_mode");
  if (!mode) return nullptr;
  const auto row = mode->step();
  if (!row || !*row || mode->column(0) != "wal") return nullptr;
  mode->reset();
  // It is mapped once something was read.
  if (!query_integer("SELECT count(*) FROM sqlite_schema")) return nullptr;
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
      SQLITE_OK)
    return nullptr;
  if (file == nullptr || file->pMethods == nullptr || file->pMethods->iVersion < 2) return nullptr;
  volatile void* page = nullptr;
  (void)file->pMethods->xShmMap(file, 0, kPageBytes, 0, &page);
  return static_cast<const volatile uint32_t*>(page);
}

SqlResult<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  Statement owned(statement);
  if (code != SQLITE_OK) return error_of(connection_.get(), code);
  return owned;
}

SqlResult<int64_t> Database::query_integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  return *row ? statement->column_integer(0) : 0;
}

}  // namespace saslatch::passdb
