#ifndef SASLATCH_PROTOCOL_SASL_RULES_H_
#define SASLATCH_PROTOCOL_SASL_RULES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/sasl/server_mechanism.h"

namespace saslatch::sasl {

// The rules that every password mechanism shares, so that a name accepted in one is accepted in
// all.

// Dovecot's and Cyrus SASL's own bound for a name; RFC 4616 asks for 255 at least.
inline constexpr size_t kMaxName = 1024;

// RFC 4616 asks for 255 bytes at least; NIST SP 800-63B for 64 characters, 256 bytes at most. The
// bound keeps the cost of a check in hand: SHA-crypt feeds the password to its digest in each of
// some thousand rounds, so one of 12 KB, which a line has room for, would hold a worker for
// seconds.
inline constexpr size_t kMaxPassword = 1024;

// An authcid or authzid: 1 to kMaxName bytes of UTF-8 without NUL. RFC 4616, section 2, has no
// other names; LOGIN and CRAM-MD5 say nothing, and follow it. Names are neither prepared (SASLprep)
// nor folded here: which characters an account's name may have is for [usernames] to say.
bool is_valid_authcid(std::string_view name);

// 1 to kMaxPassword bytes without NUL. Not checked for UTF-8: passwords hashed long ago from
// Latin-1 are still typed by programs that send Latin-1, and what is compared is the bytes.
bool is_valid_password(std::string_view password);

// What becomes of an exchange once its question is answered.
Step conclude(Verdict verdict, const std::string& authcid, const std::string& authzid);

}  // namespace saslatch::sasl

#endif  // SASLATCH_PROTOCOL_SASL_RULES_H_
