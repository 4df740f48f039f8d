#ifndef SASLATCH_DAEMON_PASSDB_SASLDB_SASLDB_FILE_H_
#define SASLATCH_DAEMON_PASSDB_SASLDB_SASLDB_FILE_H_

#include <cstdint>
#include <map>
#include <string>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// The longest file that is read, and the longest of its names: libsasl2 makes no longer ones.
constexpr uint64_t kMaxSasldbBytes = uint64_t{1} << 30;
constexpr size_t kMaxSasldbName = 1024;

struct SasldbTable {
  std::map<std::string, Secret> passwords;  // by "user@realm"
  uint64_t twice = 0;  // further entries that differ from one of these in the case of letters only
};

// All of a database of Cyrus SASL (sasldblistusers2(8)): a hash file of Berkeley DB whose keys are
// "user NUL realm NUL property"; the property userPassword has the password itself. Other
// properties are passed over. `lowercase` applies to both parts of a name.
//
// The file is copied to memory first and checked there (db_verify(1)): libdb crashes on pages that
// damage, or somebody who was writing, has left half. A file that does not pass is an error.
// Neither the copy nor the pages that libdb keeps while it reads are wiped.
[[nodiscard]] Result<SasldbTable> read_sasldb(const std::string& path, bool lowercase);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_SASLDB_SASLDB_FILE_H_
