#ifndef SASLATCH_DAEMON_PASSWORD_CREATE_H_
#define SASLATCH_DAEMON_PASSWORD_CREATE_H_

#include <span>
#include <string>
#include <string_view>

#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::password {

// The schemes create() knows, in upper case; the first is the default.
std::span<const std::string_view> creatable_schemes();

// What an administrator may set as a password: not empty, at most kMaxPasswordSize bytes, and
// without NUL, 0x01, TAB, CR and LF, which no client of the auth protocol can send. The error says
// which rule is broken, not where.
Result<void> check_acceptable(std::string_view password);

// A new stored password, "{SCHEME}data", with a salt from `random`. Errors: a scheme that is not in
// creatable_schemes() (any case is taken), a password that check_acceptable() or the scheme
// refuses (bcrypt reads 72 bytes), or no memory. Slow like a check: not for an event loop.
Result<Secret> create(std::string_view scheme, std::string_view password, Random& random);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_CREATE_H_
