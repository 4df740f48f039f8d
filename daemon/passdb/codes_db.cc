#include "daemon/passdb/codes_db.h"

#include "daemon/passdb/code_text.h"

namespace saslatch::passdb {
namespace {

int64_t stale_since(int64_t now) {
  return now - std::chrono::duration_cast<std::chrono::seconds>(kStaleFor).count();
}

SqlResult<void> run_with_name(Database& database, std::string_view sql, std::string_view name) {
  auto statement = database.prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  return statement->text(1, name).run();
}

}  // namespace

int64_t unix_seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::chrono::system_clock::time_point from_unix_seconds(int64_t seconds) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
}

SqlResult<std::optional<int64_t>> find_owner(Database& database, std::string_view name) {
  auto find = database.prepare("SELECT id FROM code_owners WHERE name = ?1");
  if (!find) return tl::unexpected(find.error());
  const auto row = find->text(1, name).step();
  if (!row) return tl::unexpected(row.error());
  return *row ? std::optional(find->column_integer(0)) : std::nullopt;
}

SqlResult<int64_t> find_or_make_owner(Database& database, std::string_view name) {
  const auto known = find_owner(database, name);
  if (!known) return tl::unexpected(known.error());
  if (*known) return **known;
  if (auto made = run_with_name(database, "INSERT INTO code_owners (name) VALUES (?1)", name);
      !made) {
    return tl::unexpected(made.error());
  }
  return database.last_rowid();
}

SqlResult<uint64_t> revoke_codes(Database& database, std::string_view name, int64_t now) {
  const auto owner = find_owner(database, name);
  if (!owner) return tl::unexpected(owner.error());
  if (!*owner) return 0;
  auto revoke =
      database.prepare("UPDATE codes SET revoked = ?2 WHERE owner = ?1 AND revoked IS NULL");
  if (!revoke) return tl::unexpected(revoke.error());
  if (auto done = revoke->integer(1, **owner).integer(2, now).run(); !done) {
    return tl::unexpected(done.error());
  }
  const auto count = static_cast<uint64_t>(database.changes());
  if (auto pruned = prune_stale(database, **owner, now); !pruned) {
    return tl::unexpected(pruned.error());
  }
  return count;
}

SqlResult<void> remember_passwords(Database& database, std::string_view name, int64_t account,
                                   int64_t now) {
  const auto owner = find_or_make_owner(database, name);
  if (!owner) return tl::unexpected(owner.error());
  auto keep = database.prepare(
      "INSERT INTO old_passwords (owner, serial, kind, data, replaced) "
      "SELECT ?1, c.serial + (SELECT coalesce(max(o.serial), 0) FROM old_passwords o "
      "WHERE o.owner = ?1), c.kind, c.data, ?3 FROM credentials c WHERE c.account = ?2 AND "
      "(c.kind = 'sealed' OR NOT EXISTS "
      "(SELECT 1 FROM credentials s WHERE s.account = ?2 AND s.kind = 'sealed'))");
  if (!keep) return tl::unexpected(keep.error());
  if (auto done = keep->integer(1, *owner).integer(2, account).integer(3, now).run(); !done) {
    return done;
  }
  return prune_stale(database, *owner, now);
}

SqlResult<void> prune_stale(Database& database, int64_t owner, int64_t now) {
  auto codes = database.prepare(
      "DELETE FROM codes WHERE owner = ?1 AND (revoked <= ?2 OR expires <= ?2 OR "
      "(revoked IS NOT NULL AND serial NOT IN (SELECT serial FROM codes WHERE owner = ?1 AND "
      "revoked IS NOT NULL ORDER BY revoked DESC, serial DESC LIMIT ?3)))");
  if (!codes) return tl::unexpected(codes.error());
  codes->integer(1, owner).integer(2, stale_since(now)).integer(3, kMaxStaleCodes);
  if (auto done = codes->run(); !done) return done;
  auto passwords = database.prepare(
      "DELETE FROM old_passwords WHERE owner = ?1 AND (replaced <= ?2 OR serial NOT IN "
      "(SELECT serial FROM old_passwords WHERE owner = ?1 ORDER BY serial DESC LIMIT ?3))");
  if (!passwords) return tl::unexpected(passwords.error());
  return passwords->integer(1, owner)
      .integer(2, stale_since(now))
      .integer(3, kMaxOldPasswords)
      .run();
}

SqlResult<void> forget_owner(Database& database, std::string_view name) {
  return run_with_name(database, "DELETE FROM code_owners WHERE name = ?1", name);
}

std::string code_seal_place(std::string_view account, std::string_view hash) {
  return std::string("saslatch code").append(1, '\0').append(account).append(1, '\0').append(hash);
}

std::string join(const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items) all += (all.empty() ? "" : " ") + item;
  return all;
}

std::vector<std::string> split(std::string_view items) {
  std::vector<std::string> all;
  while (!items.empty()) {
    const std::string_view item = items.substr(0, items.find(' '));
    if (!item.empty()) all.emplace_back(item);
    items.remove_prefix(std::min(item.size() + 1, items.size()));
  }
  return all;
}

std::optional<std::vector<Network>> read_networks(std::string_view items) {
  std::vector<Network> networks;
  for (const std::string& item : split(items)) {
    auto network = Network::parse(item);
    if (!network) return std::nullopt;
    networks.push_back(*network);
  }
  return networks;
}

}  // namespace saslatch::passdb
