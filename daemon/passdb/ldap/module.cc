// driver = ldap as a loadable module.

#include "daemon/passdb/module.h"

#include "daemon/passdb/ldap/ldap_passdb.h"

SASLATCH_PASSDB_MODULE(saslatch::passdb::LdapPassdb::make)
