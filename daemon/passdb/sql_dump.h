#ifndef SASLATCH_DAEMON_PASSDB_SQL_DUMP_H_
#define SASLATCH_DAEMON_PASSDB_SQL_DUMP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace saslatch::passdb {

// Where in a dump the accounts are; what is empty is guessed by usual names, those of postfixadmin,
// ISPConfig and the many tables called `users`.
struct SqlDumpPlaces {
  std::string table;  // with or without its schema
  std::string user_column;
  std::string password_column;
};

// The accounts of a dump as lines of a passwd-file, and where each of those lines came from.
struct SqlDumpLines {
  std::string passwd_file;           // holds what the dump holds: wipe it
  std::vector<uint64_t> dump_lines;  // of the dump, one for each line of passwd_file
  std::string table;                 // that was taken, with its two columns
  std::string user_column;
  std::string password_column;
};

// Whether `text` begins like a dump of pg_dump, mysqldump, mariadb-dump or sqlite3.
[[nodiscard]] bool looks_like_sql_dump(std::string_view text);

// Reads the dump of a database: COPY and INSERT of pg_dump, INSERT of mysqldump, mariadb-dump and
// sqlite3's .dump. Takes the rows of one table: its name and password, with a `domain` column the
// domain of a name that has none, and with a column `active` or `enabled` whether the account is.
// A row without a password is left to the import to refuse. The error names the line of the dump,
// and quotes nothing of it but names of tables and columns. Pure; `into` is of meaning without an
// error only, but is to be wiped in any case.
Result<void> read_sql_dump(std::string_view text, const SqlDumpPlaces& places, SqlDumpLines& into);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_SQL_DUMP_H_
