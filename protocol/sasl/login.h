#ifndef SASLATCH_PROTOCOL_SASL_LOGIN_H_
#define SASLATCH_PROTOCOL_SASL_LOGIN_H_

#include "protocol/sasl/registry.h"

namespace saslatch::sasl {

// LOGIN: never standardised (draft-murchison-sasl-login-00), still what many mail programs send.
// The name, then the password, each after a prompt; the name may come as the initial response.
MechanismInfo login_mechanism();

}  // namespace saslatch::sasl

#endif  // SASLATCH_PROTOCOL_SASL_LOGIN_H_
