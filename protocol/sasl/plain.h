#ifndef SASLATCH_PROTOCOL_SASL_PLAIN_H_
#define SASLATCH_PROTOCOL_SASL_PLAIN_H_

#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"
#include "protocol/sasl/registry.h"

namespace saslatch::sasl {

// PLAIN, RFC 4616.
MechanismInfo plain_mechanism();

// The one message of PLAIN, borrowed from where it was parsed.
struct PlainMessage {
  std::string_view authzid;  // may be empty
  std::string_view authcid;
  std::string_view password;
};

// [authzid] NUL authcid NUL password: exactly two NULs, and each part by its rule (rules.h). The
// error says which part is wrong and never quotes it.
Result<PlainMessage> parse_plain(std::string_view message);

// The client's side: `parts` as one message.
Secret make_plain(const PlainMessage& parts);

}  // namespace saslatch::sasl

#endif  // SASLATCH_PROTOCOL_SASL_PLAIN_H_
