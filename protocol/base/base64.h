#ifndef SASLATCH_PROTOCOL_BASE_BASE64_H_
#define SASLATCH_PROTOCOL_BASE_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/secret.h"

namespace saslatch {

// RFC 4648, section 4: the standard alphabet, padded.
std::string base64_encode(std::string_view bytes);

// Strict decoding (RFC 4648, sections 3.3 to 3.5): no white space or other foreign character,
// padding required and nothing after it, unused bits zero. nullopt for anything else; "" decodes to
// "".
std::optional<std::string> base64_decode(std::string_view text);

// The same into a Secret; no copy of the bytes is left behind.
std::optional<Secret> base64_decode_secret(std::string_view text);

// As base64_decode, but without the padding ("====" is refused): the form inside crypt(3)-like
// strings of Argon2.
std::optional<std::string> base64_decode_unpadded(std::string_view text);

// Lower case. Decoding takes either case and an even number of digits.
std::string hex_encode(std::string_view bytes);
std::optional<std::string> hex_decode(std::string_view text);

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_BASE64_H_
