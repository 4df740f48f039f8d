#ifndef SASLATCH_PLUGIN_CYRUS_MECHANISM_H_
#define SASLATCH_PLUGIN_CYRUS_MECHANISM_H_

#include "protocol/sasl/registry.h"

namespace saslatch::plugin {

// A mechanism's properties in libsasl2's words (saslplug.h): SASL_SEC_* and SASL_FEAT_*. There the
// flags say what a mechanism keeps off, where the registry says what it suffers from.
struct CyrusProperties {
  unsigned security_flags = 0;
  unsigned features = 0;
};

CyrusProperties cyrus_properties(const sasl::MechanismInfo& mechanism);

}  // namespace saslatch::plugin

#endif  // SASLATCH_PLUGIN_CYRUS_MECHANISM_H_
