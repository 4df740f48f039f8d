#ifndef SASLATCH_DAEMON_PASSDB_USER_IMPORT_H_
#define SASLATCH_DAEMON_PASSDB_USER_IMPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "daemon/passdb/user_store.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// "SCHEME" of "{SCHEME.hex}data", in upper case and without the suffix.
[[nodiscard]] std::string scheme_of(std::string_view stored);

// True for a stored password that whoever reads it can log in with: plaintexts and CRAM-MD5
// contexts. False for one that cannot be read at all.
[[nodiscard]] bool is_password_equivalent(std::string_view stored);

// One account of an import file, as the embedded database keeps it.
struct ImportedAccount {
  uint64_t line = 0;
  std::string name;
  bool enabled = true;
  Secret stored;  // "{SCHEME}data"
};

// Reads a passwd-file line by line for UserStore::import(). Pure.
class ImportReader {
 public:
  // `text` and `options` outlive the reader.
  ImportReader(std::string_view text, const ImportOptions& options);

  // The next account that can be imported; nullopt at the end. Lines that cannot be are in
  // errors().
  std::optional<ImportedAccount> next();

  // "line N: why", one a line, at most UserStore::kMaxImportErrors and then how many more.
  [[nodiscard]] std::string errors() const;
  [[nodiscard]] const std::map<std::string, uint64_t>& dropped() const { return dropped_; }

 private:
  void error(std::string why);

  std::string_view rest_;
  const ImportOptions& options_;
  uint64_t line_ = 0;
  std::unordered_set<std::string> names_;
  std::string errors_;
  uint64_t error_count_ = 0;
  std::map<std::string, uint64_t> dropped_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_USER_IMPORT_H_
