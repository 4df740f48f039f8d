#include "daemon/passdb/sql/sql_passdb.h"

#include <algorithm>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "daemon/passdb/connection_pool.h"
#include "daemon/passdb/log_limit.h"
#include "daemon/passdb/mask.h"
#include "daemon/passdb/sql/account_row.h"
#include "daemon/passdb/typical.h"

namespace saslatch::passdb::sql {
namespace {

using Pool = ConnectionPool<Connection>;
using std::chrono::milliseconds;

// How long reading all names may take.
constexpr std::chrono::seconds kListAnswer(60);
// What an answer still needs after the look-up, of max-hold.
constexpr int kAnswerShare = 9;  // tenths

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xc2 ? 0
                          : lead < 0xe0 ? 2
                          : lead < 0xf0 ? 3
                          : lead < 0xf5 ? 4
                                        : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t value = lead & (0xffu >> (length + (length > 1)));
    for (size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return false;
      value = value << 6 | (byte & 0x3fu);
    }
    if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000)) return false;
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return false;
    i += length;
  }
  return true;
}

JobEnd end_of(const Trouble& trouble) {
  const auto kind =
      trouble.kind == Trouble::Kind::kTimedOut ? JobEnd::Kind::kTimedOut : JobEnd::Kind::kLost;
  return {kind, trouble.reason};
}

// Told to the log as it comes, the same thing once a minute.
class RowNotes final : public PasswdNotes {
 public:
  RowNotes(Log& log, LogLimit& limit, const std::string& passdb, const std::string& user,
           std::chrono::steady_clock::time_point now)
      : log_(log), limit_(limit), passdb_(passdb), user_(user), now_(now) {}
  void problem(std::string text) override {
    if (!limit_.admits("problem " + user_ + text, now_)) return;
    log_.warning("sql-row", "an account's row is not as it should be",
                 {{"passdb", passdb_}, {"user", user_}, {"cause", std::move(text)}});
  }
  void ignored(std::string_view field) override {
    if (!limit_.admits("column " + std::string(field), now_)) return;
    log_.warning("sql-column", "a column of the query is not obeyed here",
                 {{"passdb", passdb_}, {"column", std::string(field)}});
  }

 private:
  Log& log_;
  LogLimit& limit_;
  const std::string& passdb_;
  const std::string& user_;
  const std::chrono::steady_clock::time_point now_;
};

class SqlPassdb final : public Passdb {
 public:
  SqlPassdb(const PassdbSettings& settings, const PassdbParts& parts, QueryTemplate find,
            std::optional<QueryTemplate> list, Connect connect)
      : settings_(settings),
        parts_(parts),
        find_(std::move(find)),
        list_(std::move(list)),
        connect_(std::move(connect)),
        answer_(std::min(settings.server.timeout, parts.max_hold * kAnswerShare / 10)),
        pool_(
            {settings.server.connections, answer_},
            [this](const Waiter& waiter, Time deadline) {
              return connect_({find_.text(), find_.parameters()}, waiter, deadline);
            },
            parts.clock, parts.random) {}

  void start() { pool_.start(); }

  [[nodiscard]] std::string_view name() const override { return settings_.name; }
  [[nodiscard]] bool blocks() const override { return true; }
  void find(std::string username, std::function<void(Lookup)> done) override;
  bool list(std::string_view mask, const std::function<bool(std::string_view name)>& each) override;
  [[nodiscard]] TypicalCredential typical_credential() const override;
  [[nodiscard]] PassdbStatus status() const override;
  [[nodiscard]] Result<void> check_usable() override;
  void stop() override { pool_.stop(); }

 private:
  JobEnd look_up(const std::string& username, const std::function<void(Lookup)>& done,
                 Connection& connection, const Waiter& waiter, Time deadline);
  void learn(const Account& account);

  const PassdbSettings settings_;
  const PassdbParts parts_;
  const QueryTemplate find_;
  const std::optional<QueryTemplate> list_;
  const Connect connect_;
  const milliseconds answer_;
  LogLimit limit_;

  mutable std::mutex tally_mutex_;  // guards these two
  TypicalTally tally_;
  uint64_t learnt_ = 0;

  Pool pool_;  // ends first: its threads use all of the above
};

void SqlPassdb::find(std::string username, std::function<void(Lookup)> done) {
  if (!is_valid_name(username) || !is_utf8(username)) return done(UnknownUser{});
  // Both ends of the job may call it, one of them does.
  const auto answer = std::make_shared<std::function<void(Lookup)>>(std::move(done));
  pool_.submit({[this, username = std::move(username), answer](
                    Connection& connection, const Waiter& waiter, Time deadline) {
                  return look_up(username, *answer, connection, waiter, deadline);
                },
                [answer](std::string reason) { (*answer)(Unavailable{std::move(reason)}); }});
}

JobEnd SqlPassdb::look_up(const std::string& username, const std::function<void(Lookup)>& done,
                          Connection& connection, const Waiter& waiter, Time deadline) {
  std::optional<Account> account;
  size_t rows = 0;
  const auto ran = connection.run(
      find_.values_for(username),
      [&](Row row) {
        if (++rows > 1) return false;
        RowNotes notes(parts_.log, limit_, settings_.name, username, waiter.now());
        account =
            read_account_row(row, username, {settings_.default_scheme, parts_.lowercase}, &notes);
        return true;
      },
      waiter, deadline);
  if (!ran && ran.error().kind != Trouble::Kind::kRefused) return end_of(ran.error());
  if (!ran) {
    done(Unavailable{"the database refuses the query: " + ran.error().reason});
  } else if (rows > 1) {
    if (limit_.admits("rows " + username, waiter.now())) {
      parts_.log.error("sql-many-rows",
                       "a query finds more than one row for a name, and cannot tell whose it is",
                       {{"passdb", settings_.name}, {"user", username}});
    }
    done(Unavailable{"the query finds more than one row for a name"});
  } else if (!account) {
    done(UnknownUser{});
  } else {
    learn(*account);
    done(*std::move(account));
  }
  return {};
}

void SqlPassdb::learn(const Account& account) {
  if (account.credentials.empty()) return;
  const std::lock_guard lock(tally_mutex_);
  if (learnt_ >= TypicalTally::kSample) return;
  ++learnt_;
  tally_.add(account.credentials.front().reveal(), settings_.default_scheme, parts_.random);
}

bool SqlPassdb::list(std::string_view mask,
                     const std::function<bool(std::string_view name)>& each) {
  if (!list_) {
    if (limit_.admits("list", parts_.clock())) {
      parts_.log.warning("sql-no-list", "accounts cannot be listed without list-query",
                         {{"passdb", settings_.name}});
    }
    return false;
  }
  // A connection of its own: it may take long, and no login waits behind it.
  const Waiter waiter(parts_.clock);
  const Time deadline = waiter.now() + kListAnswer;
  auto connection = connect_({list_->text(), 0}, waiter, deadline);
  if (!connection) return false;
  const auto ran = (*connection)
                       ->run(
                           {},
                           [&](Row row) {
                             if (row.empty() || !row.front().value) return true;
                             std::string name(*row.front().value);
                             if (parts_.lowercase)
                               std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
                             return !is_valid_name(name) || !matches_mask(mask, name) || each(name);
                           },
                           waiter, deadline);
  return ran.has_value();
}

TypicalCredential SqlPassdb::typical_credential() const {
  const std::lock_guard lock(tally_mutex_);
  return tally_.result(learnt_);
}

PassdbStatus SqlPassdb::status() const {
  std::string trouble = pool_.trouble();
  const bool available = trouble.empty();
  return {settings_.name, "sql", available, std::move(trouble), {}};
}

Result<void> SqlPassdb::check_usable() {
  const Waiter waiter(parts_.clock);
  for (const QueryTemplate* query : {&find_, list_ ? &*list_ : nullptr}) {
    if (query == nullptr) continue;
    const auto opened =
        connect_({query->text(), query->parameters()}, waiter, waiter.now() + answer_);
    if (!opened) return tl::unexpected(opened.error());
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<Passdb>> make_sql_passdb(const PassdbSettings& settings,
                                                const PassdbParts& parts, Dialect dialect,
                                                Connect connect) {
  auto find = QueryTemplate::parse(settings.sql.query, dialect);
  if (!find) return failure("query: " + find.error().message);
  if (find->parameters() == 0) {
    return failure(
        "query: it holds no variable, and would find the same for everybody; accepted: "
        "a query with %u, or with %n and %d");
  }
  std::optional<QueryTemplate> list;
  if (!settings.sql.list_query.empty()) {
    auto parsed = QueryTemplate::parse(settings.sql.list_query, dialect);
    if (!parsed) return failure("list-query: " + parsed.error().message);
    if (parsed->parameters() > 0) {
      return failure("list-query: it holds a variable; accepted: a query for all names");
    }
    list = *std::move(parsed);
  }
  auto made = std::make_shared<SqlPassdb>(settings, parts, *std::move(find), std::move(list),
                                          std::move(connect));
  made->start();
  return made;
}

}  // namespace saslatch::passdb::sql
