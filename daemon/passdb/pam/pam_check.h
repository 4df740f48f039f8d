#ifndef SASLATCH_DAEMON_PASSDB_PAM_PAM_CHECK_H_
#define SASLATCH_DAEMON_PASSDB_PAM_PAM_CHECK_H_

#include <string>

#include "daemon/passdb/pam/pam_frames.h"

namespace saslatch::passdb {

// Asks PAM, once: pam_authenticate(3) and pam_acct_mgmt(3), or only the latter. Takes as long as
// the modules take, and may never return: for a process of its own. `confdir` holds the services;
// empty: the system's. Modules' wishes to delay a failure are not granted: saslatchd holds failures
// itself, and not in a row.
[[nodiscard]] PamAnswer ask_pam(const PamQuestion& question, const std::string& confdir);

// What a return value of the two functions means.
[[nodiscard]] ProofVerdict verdict_of_authenticate(int value);
[[nodiscard]] ProofVerdict verdict_of_account(int value);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PAM_PAM_CHECK_H_
