#ifndef SASLATCH_DAEMON_PASSWORD_ARGON2_STRING_H_
#define SASLATCH_DAEMON_PASSWORD_ARGON2_STRING_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace saslatch::password {

struct Argon2Parameters {
  bool id;              // Argon2id, else Argon2i
  uint32_t memory_kib;  // m
  uint32_t passes;      // t
  uint32_t lanes;       // p
};

// ARGON2I, ARGON2ID, ARGON2: "$argon2id$v=19$m=M,t=T,p=P$salt$hash" (RFC 9106 and the reference
// program), salt and hash in base64 without padding.
struct Argon2 {
  std::string encoded;
  Argon2Parameters parameters;
  size_t salt_size;  // bytes, decoded
  size_t hash_size;
};

// Checks form and limits; the error never quotes the data.
Result<Argon2> parse_argon2(std::string_view text);

// The string for these parameters and raw bytes.
std::string encode_argon2(const Argon2Parameters& parameters, std::string_view salt,
                          std::string_view hash);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_ARGON2_STRING_H_
