// backend = mysql of driver = sql: MariaDB and MySQL by MariaDB's client library, whose calls are
// taken in their non-waiting form, so that every wait has our deadline.

#include <mysql.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/passdb/module.h"
#include "daemon/passdb/sql/sql_passdb.h"

namespace saslatch::passdb::sql {
namespace {

// Client errors (2000-2999, errmsg.h) are of the connection, all others the server's words.
bool is_of_client(unsigned code) { return code >= 2000 && code < 3000; }

Trouble trouble_of(unsigned code, const char* text, bool timed_out) {
  if (timed_out) return {Trouble::Kind::kTimedOut, "the database did not answer in time"};
  std::string reason(text == nullptr || *text == '\0' ? "it gives no reason" : text);
  return {is_of_client(code) ? Trouble::Kind::kLost : Trouble::Kind::kRefused, std::move(reason)};
}

// Drives the two halves of a call: `start` and `go_on` return what they wait for, 0 at the end.
// False: the deadline was over first, and the call was made to fail.
template <typename Start, typename GoOn>
bool drive(MYSQL* mysql, const Waiter& waiter, Time deadline, Start start, GoOn go_on) {
  bool in_time = true;
  for (int wanted = start(); wanted != 0;) {
    int events = 0;
    if ((wanted & MYSQL_WAIT_READ) != 0) events |= POLLIN;
    if ((wanted & MYSQL_WAIT_WRITE) != 0) events |= POLLOUT;
    if ((wanted & MYSQL_WAIT_EXCEPT) != 0) events |= POLLPRI;
    const auto woke = waiter.wait(mysql_get_socket(mysql), static_cast<short>(events), deadline);
    int came = wanted & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE | MYSQL_WAIT_EXCEPT);
    if (woke != Waiter::Woke::kReady) {
      in_time = false;
      came = MYSQL_WAIT_TIMEOUT;
    }
    wanted = go_on(came);
  }
  return in_time;
}

// A connection ends without its farewell, which could wait for a server that hangs.
struct Close {
  void operator()(MYSQL* mysql) const {
    const my_socket socket = mysql_get_socket(mysql);
    if (socket != MARIADB_INVALID_SOCKET) shutdown(socket, SHUT_RDWR);
    mysql_close(mysql);
  }
};
struct CloseStatement {
  void operator()(MYSQL_STMT* statement) const {
    // The connection, which goes with it, is shut down already: this waits for nothing.
    mysql_stmt_close(statement);
  }
};
using OwnedMysql = std::unique_ptr<MYSQL, Close>;
using OwnedStatement = std::unique_ptr<MYSQL_STMT, CloseStatement>;

struct FreeResult {
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};

class MysqlConnection final : public Connection {
 public:
  MysqlConnection(OwnedMysql mysql, OwnedStatement statement)
      : mysql_(std::move(mysql)), statement_(std::move(statement)) {}
  ~MysqlConnection() override {
    const my_socket socket = mysql_get_socket(mysql_.get());
    if (socket != MARIADB_INVALID_SOCKET) shutdown(socket, SHUT_RDWR);
  }
  MysqlConnection(const MysqlConnection&) = delete;
  MysqlConnection& operator=(const MysqlConnection&) = delete;

  // An idle server sends nothing; whatever is there is its end.
  [[nodiscard]] bool is_alive() override {
    pollfd idle{mysql_get_socket(mysql_.get()), POLLIN, 0};
    return poll(&idle, 1, 0) == 0;
  }

  tl::expected<void, Trouble> run(std::span<const std::string> values,
                                  const std::function<bool(Row)>& each, const Waiter& waiter,
                                  Time deadline) override {
    bind_values(values);
    MYSQL_STMT* const statement = statement_.get();
    if (auto ran = call(waiter, deadline, mysql_stmt_execute_start, mysql_stmt_execute_cont);
        !ran) {
      return ran;
    }
    auto read = read_rows(each, waiter, deadline);
    if (!read && read.error().kind != Trouble::Kind::kRefused) return read;
    // What was not read is read away.
    my_bool failed = 0;
    const bool in_time = drive(
        mysql_.get(), waiter, deadline,
        [&] { return mysql_stmt_free_result_start(&failed, statement); },
        [&](int came) { return mysql_stmt_free_result_cont(&failed, statement, came); });
    if (!in_time) return tl::unexpected(trouble_of(0, nullptr, true));
    return read;
  }

 private:
  using StartCall = int (*)(int*, MYSQL_STMT*);
  using GoOnCall = int (*)(int*, MYSQL_STMT*, int);

  tl::expected<void, Trouble> call(const Waiter& waiter, Time deadline, StartCall start,
                                   GoOnCall go_on) {
    int failed = 0;
    MYSQL_STMT* const statement = statement_.get();
    const bool in_time = drive(
        mysql_.get(), waiter, deadline, [&] { return start(&failed, statement); },
        [&](int came) { return go_on(&failed, statement, came); });
    if (in_time && failed == 0) return {};
    return tl::unexpected(
        trouble_of(mysql_stmt_errno(statement), mysql_stmt_error(statement), !in_time));
  }

  void bind_values(std::span<const std::string> values) {
    bound_.assign(values.size(), MYSQL_BIND{});
    for (size_t i = 0; i < values.size(); ++i) {
      bound_[i].buffer_type = MYSQL_TYPE_STRING;
      // The library reads it only.
      bound_[i].buffer = const_cast<char*>(values[i].data());
      bound_[i].buffer_length = static_cast<unsigned long>(values[i].size());
    }
    mysql_stmt_bind_param(statement_.get(), bound_.data());
  }

  tl::expected<void, Trouble> read_rows(const std::function<bool(Row)>& each, const Waiter& waiter,
                                        Time deadline) {
    MYSQL_STMT* const statement = statement_.get();
    const std::unique_ptr<MYSQL_RES, FreeResult> about(mysql_stmt_result_metadata(statement));
    if (!about) return {};  // no rows, as of a CALL
    const unsigned columns = mysql_num_fields(about.get());
    const MYSQL_FIELD* const names = mysql_fetch_fields(about.get());
    std::vector<Cell> cells(columns);
    std::vector<MYSQL_BIND> binds(columns, MYSQL_BIND{});
    for (unsigned i = 0; i < columns; ++i) {
      binds[i].buffer_type = MYSQL_TYPE_STRING;
      binds[i].buffer = cells[i].text.data();
      binds[i].buffer_length = static_cast<unsigned long>(cells[i].text.size());
      binds[i].length = &cells[i].length;
      binds[i].is_null = &cells[i].is_null;
    }
    mysql_stmt_bind_result(statement, binds.data());
    std::vector<Field> fields;
    tl::expected<void, Trouble> read;
    while (true) {
      int fetched = 0;
      const bool in_time = drive(
          mysql_.get(), waiter, deadline,
          [&] { return mysql_stmt_fetch_start(&fetched, statement); },
          [&](int came) { return mysql_stmt_fetch_cont(&fetched, statement, came); });
      if (!in_time || fetched == 1) {
        read = tl::unexpected(
            trouble_of(mysql_stmt_errno(statement), mysql_stmt_error(statement), !in_time));
        break;
      }
      if (fetched == MYSQL_NO_DATA) break;
      if (fetched == MYSQL_DATA_TRUNCATED) {
        read = tl::unexpected(
            Trouble{Trouble::Kind::kRefused, "a column is longer than any password or name"});
        break;
      }
      fields.clear();
      for (unsigned i = 0; i < columns; ++i) {
        Field& field = fields.emplace_back(Field{names[i].name, {}});
        if (cells[i].is_null == 0)
          field.value = std::string_view(cells[i].text.data(), cells[i].length);
      }
      if (!each(fields)) break;
    }
    for (Cell& cell : cells) wipe(cell.text.data(), cell.text.size());
    return read;
  }

  // Longer than any stored password and any list of networks.
  static constexpr size_t kLongestValue = 8192;
  struct Cell {
    std::string text = std::string(kLongestValue, '\0');
    unsigned long length = 0;
    my_bool is_null = 0;
  };

  OwnedMysql mysql_;
  OwnedStatement statement_;  // ends first
  std::vector<MYSQL_BIND> bound_;
};

class Server {
 public:
  Server(const PassdbSettings& settings, const PassdbParts& parts)
      : settings_(settings), read_password_(parts.read_password_file) {}

  Result<std::unique_ptr<Connection>> connect(const StatementText& wanted, const Waiter& waiter,
                                              Time deadline) const {
    OwnedMysql mysql(mysql_init(nullptr));
    if (!mysql) return failure("there is no memory for a connection");
    set_options(mysql.get());
    if (auto connected = open(mysql.get(), waiter, deadline); !connected) {
      return tl::unexpected(connected.error());
    }
    const auto refused = [](const std::string& why) {
      return failure("the database refuses the query: " + why);
    };
    OwnedStatement statement(mysql_stmt_init(mysql.get()));
    if (!statement) return failure("there is no memory for a connection");
    int failed = 0;
    MYSQL_STMT* const raw = statement.get();
    const bool in_time = drive(
        mysql.get(), waiter, deadline,
        [&] {
          return mysql_stmt_prepare_start(&failed, raw, wanted.text.data(),
                                          static_cast<unsigned long>(wanted.text.size()));
        },
        [&](int came) { return mysql_stmt_prepare_cont(&failed, raw, came); });
    if (!in_time) return failure("the database did not answer in time");
    if (failed != 0) return refused(mysql_stmt_error(raw));
    if (mysql_stmt_param_count(raw) != wanted.parameters) {
      return refused("it has placeholders of its own; accepted: %u, %n and %d");
    }
    return std::make_unique<MysqlConnection>(std::move(mysql), std::move(statement));
  }

 private:
  void set_options(MYSQL* mysql) const {
    mysql_options(mysql, MYSQL_OPT_NONBLOCK, nullptr);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    // Nobody's name may ever make it write.
    mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION TRANSACTION READ ONLY");
    // A query that we gave up ends by itself; only MariaDB reads what is in the comment.
    const std::string limit =
        "SET @saslatch = 1 /*M!, SESSION max_statement_time = " +
        std::to_string(std::chrono::duration<double>(settings_.server.timeout).count()) + " */";
    mysql_options(mysql, MYSQL_INIT_COMMAND, limit.c_str());
    // A server that is not who it should be must not ask us for a file.
    const unsigned no = 0;
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no);
    if (!settings_.server.needs_tls()) return;
    const my_bool yes = 1;
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    const std::string& ca = settings_.server.tls_ca_file;
    mysql_options(mysql, MYSQL_OPT_SSL_CA,
                  ca.empty() ? "/etc/ssl/certs/ca-certificates.crt" : ca.c_str());
  }

  Result<void> open(MYSQL* mysql, const Waiter& waiter, Time deadline) const {
    const ServerSettings& server = settings_.server;
    Secret password;
    if (!server.password_file.empty()) {
      auto read = read_password_(server.password_file);
      if (!read) {
        return failure("password-file " + server.password_file + ": " + read.error().message);
      }
      password = *std::move(read);
    }
    std::string shown(password.reveal());
    const bool is_socket = server.host.empty() || server.host.starts_with('/');
    const char* const host = is_socket ? "localhost" : server.host.c_str();
    const char* const socket = server.host.starts_with('/') ? server.host.c_str() : nullptr;
    const unsigned protocol = is_socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    const char* const user = server.user.empty() ? nullptr : server.user.c_str();
    MYSQL* connected = nullptr;
    const bool in_time = drive(
        mysql, waiter, deadline,
        [&] {
          return mysql_real_connect_start(&connected, mysql, host, user, shown.c_str(),
                                          settings_.sql.database.c_str(), server.port.value_or(0),
                                          socket, 0);
        },
        [&](int came) { return mysql_real_connect_cont(&connected, mysql, came); });
    wipe(shown);
    if (!in_time) return failure("cannot connect to the database: it did not answer in time");
    if (connected == nullptr) {
      return failure(std::string("cannot connect to the database: ") + mysql_error(mysql));
    }
    return {};
  }

  const PassdbSettings settings_;
  const std::function<Result<Secret>(const std::string&)> read_password_;
};

Result<std::shared_ptr<Passdb>> make(const PassdbSettings& settings, const PassdbParts& parts) {
  // The library's own set-up is not safe amid threads.
  static const bool is_ready = mysql_library_init(0, nullptr, nullptr) == 0;
  if (!is_ready) return failure("the client library of MariaDB cannot be set up");
  auto server = std::make_shared<const Server>(settings, parts);
  return make_sql_passdb(settings, parts, Dialect::kMysql,
                         [server = std::move(server)](const StatementText& statement,
                                                      const Waiter& waiter, Time deadline) {
                           return server->connect(statement, waiter, deadline);
                         });
}

}  // namespace
}  // namespace saslatch::passdb::sql

SASLATCH_PASSDB_MODULE(saslatch::passdb::sql::make)
