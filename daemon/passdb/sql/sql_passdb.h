#ifndef SASLATCH_DAEMON_PASSDB_SQL_SQL_PASSDB_H_
#define SASLATCH_DAEMON_PASSDB_SQL_SQL_PASSDB_H_

#include <memory>

#include "daemon/passdb/module.h"
#include "daemon/passdb/passdb.h"
#include "daemon/passdb/sql/connection.h"
#include "daemon/passdb/sql/query_template.h"
#include "protocol/base/result.h"

namespace saslatch::passdb::sql {

// driver = sql: the accounts are rows of a database that others keep. Each look-up is one prepared
// statement over a pooled connection: no row is an unknown user, one is the account
// (account_row.h), more are our own trouble. A name that no database can hold as text (no UTF-8,
// or with control characters) is unknown without asking.
//
// What the check of a password usually costs is learnt from the rows that were read.
//
// Connects in the background from the beginning; find() answers on a thread of the pool. The error
// is of a query that cannot be.
Result<std::shared_ptr<Passdb>> make_sql_passdb(const PassdbSettings& settings,
                                                const PassdbParts& parts, Dialect dialect,
                                                Connect connect);

// backend = sqlite, which is part of the daemon.
Result<std::shared_ptr<Passdb>> make_sqlite_passdb(const PassdbSettings& settings,
                                                   const PassdbParts& parts);

}  // namespace saslatch::passdb::sql

#endif  // SASLATCH_DAEMON_PASSDB_SQL_SQL_PASSDB_H_
