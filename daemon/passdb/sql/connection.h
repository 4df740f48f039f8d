#ifndef SASLATCH_DAEMON_PASSDB_SQL_CONNECTION_H_
#define SASLATCH_DAEMON_PASSDB_SQL_CONNECTION_H_

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/passdb/waiter.h"
#include "protocol/base/result.h"

namespace saslatch::passdb::sql {

using Time = Waiter::Time;

// One value of a row, borrowed from the library until the next row.
struct Field {
  std::string_view column;
  std::optional<std::string_view> value;  // absent: NULL
};
using Row = std::span<const Field>;

struct Trouble {
  enum class Kind {
    kRefused,   // the server refuses the statement; the connection is good
    kTimedOut,  // the deadline is over; the connection is of no use any more
    kLost,      // the connection is gone
  };
  Kind kind = Kind::kRefused;
  std::string reason;  // for a log: the server's words
};

// A statement as it is prepared.
struct StatementText {
  std::string text;
  size_t parameters = 0;
};

// One connection to a database, with one statement prepared, in a session that cannot write. Used
// by one thread at a time, which may wait for the server but for no longer than the deadline.
class Connection {
 public:
  virtual ~Connection() = default;

  // See ConnectionPool.
  [[nodiscard]] virtual bool is_alive() = 0;

  // Runs the prepared statement with `values` as its parameters, text and nothing else, and calls
  // `each` for every row until it returns false.
  virtual tl::expected<void, Trouble> run(std::span<const std::string> values,
                                          const std::function<bool(Row)>& each,
                                          const Waiter& waiter, Time deadline) = 0;
};

// Connects and prepares, until the deadline at the latest. The error is for an administrator and
// holds no password.
using Connect = std::function<Result<std::unique_ptr<Connection>>(
    const StatementText& statement, const Waiter& waiter, Time deadline)>;

}  // namespace saslatch::passdb::sql

#endif  // SASLATCH_DAEMON_PASSDB_SQL_CONNECTION_H_
