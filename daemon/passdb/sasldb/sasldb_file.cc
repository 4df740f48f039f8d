#include "daemon/passdb/sasldb/sasldb_file.h"

#include <db.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/passdb/mask.h"

namespace saslatch::passdb {
namespace {

struct CloseDb {
  void operator()(DB* db) const { db->close(db, DB_NOSYNC); }
};
struct CloseCursor {
  void operator()(DBC* cursor) const { cursor->close(cursor); }
};

// "user@realm" of a key of userPassword; nullopt for any other key.
std::optional<std::string> name_of(std::string_view key, bool lowercase) {
  const size_t user_end = key.find('\0');
  if (user_end == 0 || user_end == std::string_view::npos) return std::nullopt;
  const size_t realm_end = key.find('\0', user_end + 1);
  if (realm_end == std::string_view::npos) return std::nullopt;
  if (key.substr(realm_end + 1) != "userPassword") return std::nullopt;
  std::string name(key.substr(0, realm_end));
  if (name.size() > kMaxSasldbName) return std::nullopt;
  name[user_end] = '@';
  if (lowercase) std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
  return name;
}

std::string_view bytes_of(const DBT& item) {
  return {static_cast<const char*>(item.data), item.size};
}

}  // namespace

Result<SasldbTable> read_sasldb(const std::string& path, bool lowercase) {
  const auto failed = [&path](int error) { return failure(path + ": " + db_strerror(error)); };
  DB* made = nullptr;
  if (const int error = db_create(&made, nullptr, 0)) return failed(error);
  const std::unique_ptr<DB, CloseDb> db(made);
  // What it would print to stderr is in its return value.
  db->set_errcall(db.get(), [](const DB_ENV*, const char*, const char*) {});
  if (const int error =
          db->open(db.get(), nullptr, path.c_str(), nullptr, DB_HASH, DB_RDONLY | DB_NOMMAP, 0)) {
    return failed(error);
  }
  DBC* opened = nullptr;
  if (const int error = db->cursor(db.get(), nullptr, &opened, 0)) return failed(error);
  const std::unique_ptr<DBC, CloseCursor> cursor(opened);

  SasldbTable table;
  DBT key{};
  DBT value{};
  int error = 0;
  while ((error = cursor->get(cursor.get(), &key, &value, DB_NEXT)) == 0) {
    auto name = name_of(bytes_of(key), lowercase);
    if (!name) continue;
    if (!table.passwords.try_emplace(*std::move(name), bytes_of(value)).second) ++table.twice;
  }
  if (error != DB_NOTFOUND) return failed(error);
  return table;
}

}  // namespace saslatch::passdb
