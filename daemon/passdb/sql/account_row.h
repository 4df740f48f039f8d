#ifndef SASLATCH_DAEMON_PASSDB_SQL_ACCOUNT_ROW_H_
#define SASLATCH_DAEMON_PASSDB_SQL_ACCOUNT_ROW_H_

#include <string>
#include <string_view>

#include "daemon/passdb/passdb.h"
#include "daemon/passdb/passwd_entry.h"
#include "daemon/passdb/sql/connection.h"

namespace saslatch::passdb::sql {

// Makes an account of one row, by the names of its columns: `password` and the fields of a
// passwd-file (passwd_entry.h), with uid, gid and home as userdb_uid, userdb_gid and userdb_home.
//
// NULL is as if the column were not there. A password that is NULL or empty is none: it never
// matches. As databases have truth in columns, `nologin` and `fail` do not hold where they are
// empty, 0, n, no, f or false, and hold with anything else; `nopassword` and `nodelay` hold only
// where they are 1, y, yes, t or true: what cannot be read opens nothing. For the same reason an
// empty allow_nets matches nothing, and an empty user disables the account. A userdb id is a
// number.
Account read_account_row(Row row, std::string_view asked, const PasswdFormat& format,
                         PasswdNotes* notes);

}  // namespace saslatch::passdb::sql

#endif  // SASLATCH_DAEMON_PASSDB_SQL_ACCOUNT_ROW_H_
