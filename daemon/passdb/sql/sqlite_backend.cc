#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/passdb/sql/sql_passdb.h"
#include "daemon/passdb/sqlite.h"

namespace saslatch::passdb::sql {
namespace {

// How many instructions of SQLite's machine run between two looks at the clock: microseconds.
constexpr int kInstructions = 10'000;

// A database file that others keep, read only.
class SqliteConnection final : public Connection {
 public:
  SqliteConnection(std::string path, struct stat file, Database database, Statement statement)
      : path_(std::move(path)),
        file_(file),
        database_(std::move(database)),
        statement_(std::move(statement)) {}

  // A file that was replaced or taken away would go on to be read.
  [[nodiscard]] bool is_alive() override {
    struct stat now {};
    return stat(path_.c_str(), &now) == 0 && now.st_dev == file_.st_dev &&
           now.st_ino == file_.st_ino;
  }

  tl::expected<void, Trouble> run(std::span<const std::string> values,
                                  const std::function<bool(Row)>& each, const Waiter& waiter,
                                  Time deadline) override {
    const std::function<bool()> is_late = [&] { return waiter.now() >= deadline; };
    database_.interrupt_when(&is_late, kInstructions);
    auto ran = run_statement(values, each);
    database_.interrupt_when(nullptr, 0);
    statement_.reset();
    return ran;
  }

 private:
  tl::expected<void, Trouble> run_statement(std::span<const std::string> values,
                                            const std::function<bool(Row)>& each) {
    int index = 0;
    for (const std::string& value : values) statement_.text(++index, value);
    std::vector<Field> fields;
    while (true) {
      const auto row = statement_.step();
      if (!row) return tl::unexpected(trouble_of(row.error()));
      if (!*row) return {};
      fields.clear();
      for (int i = 0; i < statement_.columns(); ++i) {
        Field& field = fields.emplace_back(Field{statement_.column_name(i), {}});
        if (!statement_.is_null(i)) field.value = statement_.column(i);
      }
      if (!each(fields)) return {};
    }
  }

  static Trouble trouble_of(const SqlError& error) {
    switch (error.primary()) {
      case SQLITE_INTERRUPT:
        return {Trouble::Kind::kTimedOut, "the query takes too long"};
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return {Trouble::Kind::kTimedOut, "somebody who writes locks it for too long"};
      default:
        // The file may have been replaced or mended: opened anew, it is seen as it is.
        return {Trouble::Kind::kLost, error.text};
    }
  }

  const std::string path_;
  const struct stat file_;
  Database database_;
  Statement statement_;
};

Result<std::unique_ptr<Connection>> open(const std::string& path, std::chrono::milliseconds busy,
                                         const StatementText& wanted) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) {
    return failure(path + ": " + std::generic_category().message(errno));
  }
  auto database = Database::open(path, SQLITE_OPEN_READONLY, busy);
  if (!database) return failure(path + ": " + database.error().text);
  auto statement = database->prepare(wanted.text);
  if (!statement) return failure(path + " refuses the query: " + statement.error().text);
  if (statement->parameters() != static_cast<int>(wanted.parameters)) {
    return failure("the query has placeholders of its own; accepted: %u, %n and %d");
  }
  return std::make_unique<SqliteConnection>(path, file, *std::move(database),
                                            *std::move(statement));
}

}  // namespace

Result<std::shared_ptr<Passdb>> make_sqlite_passdb(const PassdbSettings& settings,
                                                   const PassdbParts& parts) {
  // Half of the time for a writer to end, so that the query has the rest.
  const auto busy = settings.server.timeout / 2;
  return make_sql_passdb(
      settings, parts, Dialect::kSqlite,
      [path = settings.sql.database, busy](const StatementText& statement, const Waiter&, Time) {
        return open(path, busy, statement);
      });
}

}  // namespace saslatch::passdb::sql
