#ifndef SASLATCH_DAEMON_STATE_REDIS_SCRIPTS_H_
#define SASLATCH_DAEMON_STATE_REDIS_SCRIPTS_H_

#include <string_view>

namespace saslatch::state::redis {

// The server-side functions, whole; made from the .lua files of this folder, whose heads say what
// they take and return.
extern const std::string_view kReserveScript;
extern const std::string_view kSettleScript;
extern const std::string_view kLockScript;

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_SCRIPTS_H_
