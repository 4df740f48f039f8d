#ifndef SASLATCH_DAEMON_PASSWORD_DUMMY_H_
#define SASLATCH_DAEMON_PASSWORD_DUMMY_H_

#include <string>

#include "daemon/password/stored_password.h"
#include "protocol/base/random.h"

namespace saslatch::password {

// A credential, "{SCHEME}data", whose check costs what a check of `stored` costs and that no
// password matches: same scheme and parameters, salt and hash at random. For the check that an
// unknown user costs, so that the time does not tell who exists. Nothing is hashed, and nothing of
// `stored` but its parameters and sizes is in it.
std::string dummy_like(const StoredPassword& stored, Random& random);

// The same for what create() makes with its default scheme: for a passdb without users yet.
std::string default_dummy(Random& random);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_DUMMY_H_
