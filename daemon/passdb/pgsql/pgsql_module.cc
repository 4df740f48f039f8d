// backend = pgsql of driver = sql: PostgreSQL by libpq, which is asked without its waiting calls,
// so that every wait has our deadline.

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/passdb/module.h"
#include "daemon/passdb/sql/sql_passdb.h"

namespace saslatch::passdb::sql {
namespace {

constexpr const char* kStatement = "saslatch";

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using OwnedConnection = std::unique_ptr<PGconn, Finish>;
using OwnedResult = std::unique_ptr<PGresult, Clear>;

// The server's words, on one line.
std::string one_line(const char* text) {
  std::string line(text == nullptr ? "" : text);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line.empty() ? "it gives no reason" : line;
}

Trouble lost(PGconn* connection) {
  return {Trouble::Kind::kLost, one_line(PQerrorMessage(connection))};
}

std::optional<Trouble> trouble_of(Waiter::Woke woke) {
  switch (woke) {
    case Waiter::Woke::kReady:
      return std::nullopt;
    case Waiter::Woke::kTimedOut:
      return Trouble{Trouble::Kind::kTimedOut, "the database did not answer in time"};
    case Waiter::Woke::kStopped:
      break;
  }
  return Trouble{Trouble::Kind::kTimedOut, "it is being stopped"};
}

// The next result of what was sent; null at its end.
tl::expected<OwnedResult, Trouble> next_result(PGconn* connection, const Waiter& waiter,
                                               Time deadline) {
  while (true) {
    const int unsent = PQflush(connection);
    if (unsent < 0) return tl::unexpected(lost(connection));
    if (unsent == 0 && PQisBusy(connection) == 0) return OwnedResult(PQgetResult(connection));
    const auto events = static_cast<short>(unsent == 1 ? POLLIN | POLLOUT : POLLIN);
    if (auto trouble = trouble_of(waiter.wait(PQsocket(connection), events, deadline))) {
      return tl::unexpected(*std::move(trouble));
    }
    if (PQconsumeInput(connection) == 0) return tl::unexpected(lost(connection));
  }
}

// Reads all results; the first error of the server's is the answer. `each` sees the rows.
tl::expected<void, Trouble> read_results(PGconn* connection,
                                         const std::function<bool(const PGresult*)>& each,
                                         const Waiter& waiter, Time deadline) {
  std::optional<Trouble> refused;
  while (true) {
    auto result = next_result(connection, waiter, deadline);
    if (!result) return tl::unexpected(std::move(result.error()));
    if (!*result) break;
    switch (PQresultStatus(result->get())) {
      case PGRES_SINGLE_TUPLE:
      case PGRES_TUPLES_OK:
        // Those that are not wanted any more still have to be read.
        if (!each(result->get())) {
          while (true) {
            auto rest = next_result(connection, waiter, deadline);
            if (!rest) return tl::unexpected(std::move(rest.error()));
            if (!*rest) return {};
          }
        }
        break;
      case PGRES_COMMAND_OK:
        break;
      default:
        if (!refused) {
          const bool is_lost = PQstatus(connection) != CONNECTION_OK;
          refused = {is_lost ? Trouble::Kind::kLost : Trouble::Kind::kRefused,
                     one_line(PQresultErrorMessage(result->get()))};
        }
    }
  }
  if (refused) return tl::unexpected(*std::move(refused));
  return {};
}

class PgsqlConnection final : public Connection {
 public:
  explicit PgsqlConnection(OwnedConnection connection) : connection_(std::move(connection)) {}

  // A server that ended says so; it never speaks unasked otherwise, but for notices.
  [[nodiscard]] bool is_alive() override {
    return PQconsumeInput(connection_.get()) == 1 && PQstatus(connection_.get()) == CONNECTION_OK;
  }

  tl::expected<void, Trouble> run(std::span<const std::string> values,
                                  const std::function<bool(Row)>& each, const Waiter& waiter,
                                  Time deadline) override {
    std::vector<const char*> texts;
    texts.reserve(values.size());
    for (const std::string& value : values) texts.push_back(value.c_str());
    if (PQsendQueryPrepared(connection_.get(), kStatement, static_cast<int>(texts.size()),
                            texts.data(), nullptr, nullptr, 0) == 0) {
      return tl::unexpected(lost(connection_.get()));
    }
    PQsetSingleRowMode(connection_.get());
    std::vector<Field> fields;
    return read_results(
        connection_.get(),
        [&](const PGresult* result) {
          for (int row = 0; row < PQntuples(result); ++row) {
            fields.clear();
            for (int i = 0; i < PQnfields(result); ++i) {
              Field& field = fields.emplace_back(Field{PQfname(result, i), {}});
              if (PQgetisnull(result, row, i) != 0) continue;
              field.value = std::string_view(PQgetvalue(result, row, i),
                                             static_cast<size_t>(PQgetlength(result, row, i)));
            }
            if (!each(fields)) return false;
          }
          return true;
        },
        waiter, deadline);
  }

 private:
  OwnedConnection connection_;
};

// libpq's parameters, the password wiped when they are used.
class Parameters {
 public:
  void set(const char* name, std::string value) {
    names_.push_back(name);
    values_.push_back(std::move(value));
  }
  ~Parameters() {
    for (std::string& value : values_) wipe(value);
  }
  Parameters() = default;
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  OwnedConnection start() const {
    std::vector<const char*> names(names_);
    std::vector<const char*> values;
    values.reserve(values_.size() + 1);
    for (const std::string& value : values_) values.push_back(value.c_str());
    names.push_back(nullptr);
    values.push_back(nullptr);
    return OwnedConnection(PQconnectStartParams(names.data(), values.data(), 0));
  }

 private:
  std::vector<const char*> names_;
  std::vector<std::string> values_;
};

class Server {
 public:
  Server(const PassdbSettings& settings, const PassdbParts& parts)
      : settings_(settings), read_password_(parts.read_password_file) {}

  Result<std::unique_ptr<Connection>> connect(const StatementText& statement, const Waiter& waiter,
                                              Time deadline) const {
    auto begun = begin();
    if (!begun) return tl::unexpected(begun.error());
    OwnedConnection connection = *std::move(begun);
    if (auto error = finish_connecting(connection.get(), waiter, deadline); !error.empty()) {
      return failure("cannot connect to the database: " + error);
    }
    PQsetnonblocking(connection.get(), 1);
    const auto done = [&](int sent) -> tl::expected<void, Trouble> {
      if (sent == 0) return tl::unexpected(lost(connection.get()));
      return read_results(
          connection.get(), [](const PGresult*) { return true; }, waiter, deadline);
    };
    auto ready =
        done(PQsendPrepare(connection.get(), kStatement, statement.text.c_str(), 0, nullptr));
    if (!ready) return failure("the database refuses the query: " + ready.error().reason);
    return std::make_unique<PgsqlConnection>(std::move(connection));
  }

 private:
  Result<OwnedConnection> begin() const {
    const ServerSettings& server = settings_.server;
    Parameters parameters;
    if (!server.host.empty()) parameters.set("host", server.host);
    if (server.port) parameters.set("port", std::to_string(*server.port));
    parameters.set("dbname", settings_.sql.database);
    if (!server.user.empty()) parameters.set("user", server.user);
    if (!server.password_file.empty()) {
      const auto password = read_password_(server.password_file);
      if (!password) {
        return failure("password-file " + server.password_file + ": " + password.error().message);
      }
      parameters.set("password", std::string(password->reveal()));
    }
    if (server.needs_tls()) {
      parameters.set("sslmode", "verify-full");
      parameters.set("sslrootcert", server.tls_ca_file.empty()
                                        ? "/etc/ssl/certs/ca-certificates.crt"
                                        : server.tls_ca_file);
    } else {
      parameters.set("sslmode", "disable");
    }
    parameters.set("application_name", "saslatch");
    parameters.set("client_encoding", "UTF8");
    // Nobody's name may ever make it write; and a query that we gave up ends by itself.
    parameters.set("options", "-c default_transaction_read_only=on -c statement_timeout=" +
                                  std::to_string(server.timeout.count()));
    OwnedConnection connection = parameters.start();
    if (!connection) return failure("there is no memory for a connection");
    return connection;
  }

  // What went wrong; empty: it is connected.
  static std::string finish_connecting(PGconn* connection, const Waiter& waiter, Time deadline) {
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(connection) != CONNECTION_BAD) {
      if (next == PGRES_POLLING_OK) return {};
      if (next == PGRES_POLLING_FAILED) break;
      const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
      if (auto trouble = trouble_of(waiter.wait(PQsocket(connection), events, deadline))) {
        return trouble->reason;
      }
      next = PQconnectPoll(connection);
    }
    return one_line(PQerrorMessage(connection));
  }

  const PassdbSettings settings_;
  const std::function<Result<Secret>(const std::string&)> read_password_;
};

Result<std::shared_ptr<Passdb>> make(const PassdbSettings& settings, const PassdbParts& parts) {
  auto server = std::make_shared<const Server>(settings, parts);
  return make_sql_passdb(settings, parts, Dialect::kPgsql,
                         [server = std::move(server)](const StatementText& statement,
                                                      const Waiter& waiter, Time deadline) {
                           return server->connect(statement, waiter, deadline);
                         });
}

}  // namespace
}  // namespace saslatch::passdb::sql

SASLATCH_PASSDB_MODULE(saslatch::passdb::sql::make)
