#ifndef SASLATCH_DAEMON_PASSWORD_CRYPT_STRING_H_
#define SASLATCH_DAEMON_PASSWORD_CRYPT_STRING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace saslatch::password {

// The digits of crypt(5) in their order: '.' is 0, 'z' is 63.
constexpr std::string_view kCryptDigits =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

enum class CryptMethod { kDes, kMd5, kSha256, kSha512, kBcrypt, kYescrypt, kGostYescrypt, kScrypt };

// A crypt(5) string: setting (method, parameters, salt), then the hash.
struct Crypt {
  std::string hashed;
  CryptMethod method;
  size_t salt_begin;  // where the salt starts in `hashed` ...
  size_t salt_size;
  size_t hash_begin;    // ... and where the hash, which is the rest
  uint64_t memory_kib;  // what yescrypt and scrypt ask for; of the others 0
};

// Checks form, lengths and limits of the methods above; others, which crypt_r(3) may know as well
// (bsdicrypt, sunmd5, sha1crypt, NT), are refused, since nothing here bounds what they cost. The
// error never quotes the data.
Result<Crypt> parse_crypt(std::string_view text);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_CRYPT_STRING_H_
