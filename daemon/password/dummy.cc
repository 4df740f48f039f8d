#include "daemon/password/dummy.h"

#include <algorithm>
#include <string_view>

#include "daemon/password/defaults.h"
#include "daemon/password/random_bytes.h"
#include "protocol/base/base64.h"

namespace saslatch::password {
namespace {

// Of a salt of any length as much as leaves a dummy readable: its scheme may have a longer name
// than that of a stored password which is as long as may be. What lies beyond costs microseconds.
constexpr size_t kMostSalt = 256;

size_t some_of(size_t size) { return std::min(size, kMostSalt); }

void randomise(Random& random, std::string& text, size_t begin, size_t size) {
  for (size_t i = begin; i < begin + size; ++i)
    text[i] = kCryptDigits[random.below(kCryptDigits.size())];
}

class Maker {
 public:
  explicit Maker(Random& random) : random_(random) {}

  std::string operator()(const Plaintext&) const { return plain(); }
  std::string operator()(const TruncatedPlaintext&) const { return plain(); }

  std::string operator()(const CramMd5&) const {
    return "{CRAM-MD5}" + hex_encode(random_bytes(random_, CramMd5Context::kSize));
  }

  std::string operator()(const SaltedDigest& stored) const {
    const std::string bytes =
        random_bytes(random_, stored.digest.size() + some_of(stored.salt.size()));
    return scheme_of(stored) + base64_encode(bytes);
  }

  std::string operator()(const Crypt& stored) const {
    std::string text = stored.hashed;
    randomise(random_, text, stored.hash_begin, text.size() - stored.hash_begin);
    // The last character of a bcrypt or yescrypt salt has bits that must stay zero.
    const size_t kept = stored.salt_size == 0 ? 0 : 1;
    randomise(random_, text, stored.salt_begin, stored.salt_size - kept);
    return "{CRYPT}" + text;
  }

  std::string operator()(const Argon2& stored) const {
    return "{ARGON2}" + encode_argon2(stored.parameters, random_bytes(random_, stored.salt_size),
                                      random_bytes(random_, stored.hash_size));
  }

  std::string operator()(const Pbkdf2& stored) const {
    std::string salt = stored.salt.substr(0, kMostSalt);
    randomise(random_, salt, 0, salt.size());
    return "{PBKDF2}$1$" + salt + "$" + std::to_string(stored.iterations) + "$" +
           hex_encode(random_bytes(random_, stored.key.size()));
  }

  std::string operator()(const Scram& stored) const {
    const std::string scheme = stored.hash == Hash::kSha1 ? "{SCRAM-SHA-1}" : "{SCRAM-SHA-256}";
    return scheme + std::to_string(stored.iterations) + "," +
           base64_encode(random_bytes(random_, some_of(stored.salt.size()))) + "," +
           base64_encode(random_bytes(random_, stored.stored_key.size())) + "," +
           base64_encode(random_bytes(random_, stored.server_key.size()));
  }

 private:
  std::string plain() const { return "{PLAIN}" + hex_encode(random_bytes(random_, 16)); }

  static std::string scheme_of(const SaltedDigest& stored) {
    const bool salted = !stored.salt.empty();
    switch (stored.hash) {
      case Hash::kMd5:
        return salted ? "{SMD5.b64}" : "{LDAP-MD5.b64}";
      case Hash::kSha1:
        return salted ? "{SSHA.b64}" : "{SHA.b64}";
      case Hash::kSha256:
        return salted ? "{SSHA256.b64}" : "{SHA256.b64}";
      case Hash::kSha512:
        return salted ? "{SSHA512.b64}" : "{SHA512.b64}";
    }
    return {};
  }

  Random& random_;
};

}  // namespace

std::string dummy_like(const StoredPassword& stored, Random& random) {
  return std::visit(Maker(random), stored);
}

std::string default_dummy(Random& random) {
  return "{ARGON2ID}" +
         encode_argon2(kNewArgon2, random_bytes(random, 16), random_bytes(random, kArgon2HashSize));
}

}  // namespace saslatch::password
