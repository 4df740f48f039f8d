#include "daemon/passdb/user_import.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "daemon/passdb/mask.h"
#include "daemon/passdb/passwd_entry.h"
#include "daemon/password/stored_password.h"

namespace saslatch::passdb {
namespace {

// Sorts what a line says besides name and password: some of it must not be lost.
class ImportNotes final : public PasswdNotes {
 public:
  explicit ImportNotes(std::map<std::string, uint64_t>& dropped) : dropped_(dropped) {}

  void problem(std::string) override {}  // of fields that are refused or dropped anyway
  void ignored(std::string_view field) override {
    if (field.starts_with("userdb_")) {
      ++dropped_["userdb_*"];
    } else if (refused_.empty()) {
      refused_ = field.substr(0, 64);
    }
  }
  [[nodiscard]] const std::string& refused() const { return refused_; }

 private:
  std::map<std::string, uint64_t>& dropped_;
  std::string refused_;
};

// The field of `account` that the embedded database has no place for; empty: none.
std::string_view unkept_field(const Account& account, std::string_view name) {
  if (account.name != name) return "user=, username= or domain=";
  if (account.allow_nets) return "allow_nets";
  if (account.nopassword) return "nopassword";
  if (account.nodelay) return "nodelay";
  return {};
}

}  // namespace

std::string scheme_of(std::string_view stored) {
  if (!stored.starts_with('{')) return {};
  std::string scheme(stored.substr(1, stored.find_first_of(".}") - 1));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return scheme;
}

bool is_password_equivalent(std::string_view stored) {
  const auto parsed = password::parse(stored, "");
  return parsed && (std::holds_alternative<password::Plaintext>(*parsed) ||
                    std::holds_alternative<password::TruncatedPlaintext>(*parsed) ||
                    std::holds_alternative<password::CramMd5>(*parsed));
}

ImportReader::ImportReader(std::string_view text, const ImportOptions& options)
    : rest_(text), options_(options) {}

void ImportReader::error(std::string why) {
  if (++error_count_ > UserStore::kMaxImportErrors) return;
  errors_ += "line " + std::to_string(line_) + ": " + std::move(why) + "\n";
}

std::string ImportReader::errors() const {
  if (error_count_ <= UserStore::kMaxImportErrors) return errors_;
  return errors_ + "and " + std::to_string(error_count_ - UserStore::kMaxImportErrors) + " more\n";
}

std::optional<ImportedAccount> ImportReader::next() {
  const PasswdFormat format{std::string(options_.default_scheme), options_.lowercase};
  while (!rest_.empty()) {
    ++line_;
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    const auto fields = split_passwd_line(text);
    if (!fields) {
      error(fields.error().message);
      continue;
    }
    if (!*fields) continue;
    std::string name((*fields)->name);
    if (options_.lowercase) std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
    ImportNotes notes(dropped_);
    std::optional<Account> account(std::in_place);
    if (!read_passwd_entry(**fields, name, format, {}, &notes, *account)) account.reset();
    if (!account || !notes.refused().empty()) {
      error("the field " + (account ? notes.refused() : "noauthenticate") +
            " cannot be kept in the embedded database");
      continue;
    }
    if (const auto unkept = unkept_field(*account, name); !unkept.empty()) {
      error("the field " + std::string(unkept) + " cannot be kept in the embedded database");
      continue;
    }
    if (account->credentials.empty()) {
      error("no password");
      continue;
    }
    if (const auto parsed = password::parse(account->credentials[0].reveal(), ""); !parsed) {
      error(parsed.error().message);
      continue;
    }
    if (!names_.insert(name).second) {
      error("the name stands in the file twice");
      continue;
    }
    for (const auto& [field, value] :
         {std::pair("uid", (*fields)->uid), std::pair("gid", (*fields)->gid),
          std::pair("home", (*fields)->home)}) {
      if (!value.empty()) ++dropped_[field];
    }
    return ImportedAccount{line_, std::move(name), !account->disabled,
                           account->credentials[0].clone()};
  }
  return std::nullopt;
}

}  // namespace saslatch::passdb
