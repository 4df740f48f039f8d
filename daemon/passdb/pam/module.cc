// driver = pam as a loadable module. It needs no library of its own, only the worker does; a module
// all the same, so that who installs neither has neither.

#include "daemon/passdb/module.h"

#include "daemon/passdb/pam/pam_passdb.h"

SASLATCH_PASSDB_MODULE(saslatch::passdb::PamPassdb::make)
