#ifndef SASLATCH_PROTOCOL_SASL_CRAM_MD5_H_
#define SASLATCH_PROTOCOL_SASL_CRAM_MD5_H_

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/sasl/registry.h"

namespace saslatch::sasl {

// CRAM-MD5, RFC 2195. The digest is not computed here: the owner holds the secret, answers
// VerifyCramMd5, and needs a stored form that can serve it.
MechanismInfo cram_md5_mechanism();

struct CramMd5Response {
  std::string_view authcid;  // borrowed from the message
  std::string digest;        // 16 raw bytes
};

// name SP digest. A name may contain spaces, so the last one separates; the digest is 32
// hexadecimal digits, which the RFC wants in lower case and clients send in both. The error never
// quotes.
Result<CramMd5Response> parse_cram_md5_response(std::string_view message);

// The client's side: the message for HMAC-MD5(password, challenge), 16 raw bytes.
std::string make_cram_md5_response(std::string_view authcid, std::string_view digest);

}  // namespace saslatch::sasl

#endif  // SASLATCH_PROTOCOL_SASL_CRAM_MD5_H_
