#include "protocol/sasl/mechanisms.h"

#include "protocol/sasl/cram_md5.h"
#include "protocol/sasl/login.h"
#include "protocol/sasl/plain.h"

namespace saslatch::sasl {

std::vector<MechanismInfo> known_mechanisms() {
  return {plain_mechanism(), login_mechanism(), cram_md5_mechanism()};
}

}  // namespace saslatch::sasl
