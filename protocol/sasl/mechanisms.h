#ifndef SASLATCH_PROTOCOL_SASL_MECHANISMS_H_
#define SASLATCH_PROTOCOL_SASL_MECHANISMS_H_

#include <vector>

#include "protocol/sasl/registry.h"

namespace saslatch::sasl {

// Every mechanism that this source tree has, for Registry::create().
std::vector<MechanismInfo> known_mechanisms();

}  // namespace saslatch::sasl

#endif  // SASLATCH_PROTOCOL_SASL_MECHANISMS_H_
