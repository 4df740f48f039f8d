#ifndef SASLATCH_PROTOCOL_BASE_CRYPTO_CONSTANT_TIME_H_
#define SASLATCH_PROTOCOL_BASE_CRYPTO_CONSTANT_TIME_H_

#include <string_view>

namespace saslatch {

// True if both hold the same bytes. The time taken depends on the lengths only, never on where the
// first difference is. Different lengths are unequal.
[[nodiscard]] bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_CRYPTO_CONSTANT_TIME_H_
