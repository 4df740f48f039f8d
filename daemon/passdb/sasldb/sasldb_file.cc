#include "daemon/passdb/sasldb/sasldb_file.h"

#include <db.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/passdb/descriptor.h"
#include "daemon/passdb/mask.h"

namespace saslatch::passdb {
namespace {

// Copies the file at `path` to `copy`; errno where it cannot.
int copy_file(const std::string& path, int copy) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) return errno;
  uint64_t copied = 0;
  while (true) {
    const ssize_t some = sendfile(copy, file.get(), nullptr, size_t{1} << 20);
    if (some < 0) return errno;
    if (some == 0) return 0;
    copied += static_cast<uint64_t>(some);
    if (copied > kMaxSasldbBytes) return EFBIG;
  }
}

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

// What libdb would print is in its return values, or pages with passwords in them.
int make_quiet(DB** made) {
  const int error = db_create(made, nullptr, 0);
  if (error != 0) return error;
  (*made)->set_errcall(*made, [](const DB_ENV*, const char*, const char*) {});
  (*made)->set_msgcall(*made, [](const DB_ENV*, const char*) {});
  return 0;
}

// Whether libdb can read the file: otherwise it believes what a damaged page says, and crashes.
int verify(const std::string& path) {
  DB* made = nullptr;
  if (const int error = make_quiet(&made)) return error;
  return made->verify(made, path.c_str(), nullptr, nullptr, 0);  // which ends `made`, too
}

std::string_view bytes_of(const DBT& item) {
  return {static_cast<const char*>(item.data), item.size};
}

}  // namespace

Result<SasldbTable> read_sasldb(const std::string& path, bool lowercase) {
  const auto failed = [&path](int error) { return failure(path + ": " + db_strerror(error)); };
  // A copy in memory: nobody changes it between the check and the reading.
  const Descriptor copy(memfd_create("sasldb", MFD_CLOEXEC));
  if (copy.get() < 0) return failed(errno);
  if (const int error = copy_file(path, copy.get())) return failed(error);
  const std::string name_of_copy = "/proc/self/fd/" + std::to_string(copy.get());
  if (const int error = verify(name_of_copy)) return failed(error);
  DB* made = nullptr;
  if (const int error = make_quiet(&made)) return failed(error);
  const std::unique_ptr<DB, CloseDb> db(made);
  if (const int error = db->open(db.get(), nullptr, name_of_copy.c_str(), nullptr, DB_HASH,
                                 DB_RDONLY | DB_NOMMAP, 0)) {
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
