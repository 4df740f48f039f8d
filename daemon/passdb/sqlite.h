#ifndef SASLATCH_DAEMON_PASSDB_SQLITE_H_
#define SASLATCH_DAEMON_PASSDB_SQLITE_H_

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace saslatch::passdb {

// What SQLite said: its extended result code, its text, and the errno behind it (0: none).
struct SqlError {
  int code;
  std::string text;
  int system_error = 0;
  [[nodiscard]] int primary() const { return code & 0xff; }
};

template <typename T>
using SqlResult = tl::expected<T, SqlError>;

// One prepared statement. Must not outlive its Database. Values are borrowed until reset().
class Statement {
 public:
  Statement& text(int index, std::string_view value);
  Statement& blob(int index, std::string_view value);
  Statement& integer(int index, int64_t value);

  // True: a row is there. False: it is done.
  SqlResult<bool> step();
  // Ends the transaction that the statement held open by itself, and forgets the values.
  void reset();
  // step() to the end and reset(), for what returns no rows.
  SqlResult<void> run();

  // Of the row that step() found; borrowed until the next step().
  [[nodiscard]] std::string_view column(int index) const;
  [[nodiscard]] int64_t column_integer(int index) const;
  [[nodiscard]] bool is_null(int index) const;

  [[nodiscard]] int columns() const { return sqlite3_column_count(statement_.get()); }
  [[nodiscard]] std::string_view column_name(int index) const;
  // How many values it asks for.
  [[nodiscard]] int parameters() const { return sqlite3_bind_parameter_count(statement_.get()); }

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection. Used by one thread at a time, which need not be the same.
class Database {
 public:
  // `flags` of sqlite3_open_v2(). Strict about what it reads: a damaged or hostile file is an
  // error, no crash. Waits at most `busy` for another writer.
  static SqlResult<Database> open(const std::string& path_or_uri, int flags,
                                  std::chrono::milliseconds busy);

  SqlResult<void> run(const char* sql);
  SqlResult<Statement> prepare(std::string_view sql);
  // The first column of the first row; 0 if there is no row or it is null.
  SqlResult<int64_t> query_integer(std::string_view sql);
  // Ends what runs as soon as `is_late` says so, asked every `instructions` of SQLite's machine;
  // null: no more. Borrowed until then.
  void interrupt_when(const std::function<bool()>* is_late, int instructions);
  // The first page of the index that all connections of a database in WAL mode share in memory;
  // null where there is none, or it is not there yet. Stays where it is while the connection is
  // open.
  [[nodiscard]] const volatile uint32_t* shared_index();
  [[nodiscard]] int64_t last_rowid() const { return sqlite3_last_insert_rowid(connection_.get()); }
  [[nodiscard]] int changes() const { return sqlite3_changes(connection_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_SQLITE_H_
