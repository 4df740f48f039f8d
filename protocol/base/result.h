#ifndef SASLATCH_PROTOCOL_BASE_RESULT_H_
#define SASLATCH_PROTOCOL_BASE_RESULT_H_

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace saslatch {

// Why input was not accepted, for a log or an administrator: what is wrong, where, and what would
// be accepted. Never quotes a secret.
struct Error {
  std::string message;
};

// A value, or the reason why malformed input has none. Refused and unavailable are not errors in
// this sense: they are ordinary values of the types that know them.
template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_RESULT_H_
