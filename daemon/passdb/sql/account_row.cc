#include "daemon/passdb/sql/account_row.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/passdb/mask.h"
#include "daemon/password/stored_password.h"

namespace saslatch::passdb::sql {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), lower(value)) != words.end();
}

// Whether a column that is there says that its field is set.
bool is_set(std::string_view name, std::string_view value) {
  if (name == "nologin" || name == "fail") {
    return !is_one_of(value, {"", "0", "n", "no", "f", "false"});
  }
  if (name == "nopassword" || name == "nodelay") {
    return is_one_of(value, {"1", "y", "yes", "t", "true"});
  }
  return true;
}

}  // namespace

Account read_account_row(Row row, std::string_view asked, const PasswdFormat& format,
                         PasswdNotes* notes) {
  Account account;
  account.name = asked;
  std::vector<std::string> names;
  names.reserve(row.size());
  std::vector<ExtraField> fields;
  for (const Field& field : row) {
    if (!field.value) continue;
    names.push_back(lower(field.column));
    std::string_view name = names.back();
    if (name == "password") {
      if (field.value->empty()) continue;
      std::string stored = password::with_scheme(*field.value, format.default_scheme);
      account.credentials.push_back(Secret::take(stored));
      continue;
    }
    if (name == "uid") name = "userdb_uid";
    if (name == "gid") name = "userdb_gid";
    if (name == "home") name = "userdb_home";
    if (is_set(name, *field.value)) fields.push_back({name, *field.value});
  }
  read_extra_fields(fields, format.lowercase, notes, account);
  return account;
}

}  // namespace saslatch::passdb::sql
