#include "daemon/password/verify.h"

#include <sodium.h>

#include <new>
#include <string>

#include "daemon/password/hash_memory.h"
#include "daemon/password/limits.h"
#include "daemon/password/system_crypt.h"
#include "protocol/base/crypto/constant_time.h"

namespace saslatch::password {
namespace {

Check match_if(bool same) { return same ? Check::kMatch : Check::kMismatch; }

class Checker {
 public:
  explicit Checker(std::string_view password) : password_(password) {}

  Check operator()(const Plaintext& stored) const {
    return match_if(constant_time_equal(stored.password.reveal(), password_));
  }

  Check operator()(const TruncatedPlaintext& stored) const {
    return match_if(
        constant_time_equal(stored.prefix.reveal(), password_.substr(0, stored.prefix.size())));
  }

  Check operator()(const CramMd5& stored) const {
    const auto context = CramMd5Context::from_password(password_);
    return match_if(constant_time_equal(stored.context.reveal(), context.reveal()));
  }

  Check operator()(const SaltedDigest& stored) const {
    return match_if(
        constant_time_equal(stored.digest, digest(stored.hash, password_, stored.salt)));
  }

  Check operator()(const Crypt& stored) const {
    // libxcrypt does not tell a lack of memory from a damaged string, so the memory is asked for,
    // untouched, before. Where it is taken away in between, the right password is called wrong
    // once.
    if (!can_be_mapped(stored.memory_kib)) return Check::kNoMemory;
    const auto hashed = system_crypt(password_, stored.hashed);
    if (!hashed) return Check::kUnusable;
    return match_if(constant_time_equal(*hashed, stored.hashed));
  }

  Check operator()(const Argon2& stored) const {
    if (sodium_init() < 0) return Check::kUnusable;
    const LentHashMemory memory(stored.parameters.memory_kib);
    if (!memory.is_available()) return Check::kNoMemory;
    return match_if(
        crypto_pwhash_str_verify(stored.encoded.c_str(), password_.data(), password_.size()) == 0);
  }

  Check operator()(const Pbkdf2& stored) const {
    const Secret key =
        pbkdf2(Hash::kSha1, password_, stored.salt, stored.iterations, stored.key.size());
    return match_if(constant_time_equal(stored.key, key.reveal()));
  }

  // RFC 5802, section 3: StoredKey := H(HMAC(SaltedPassword, "Client Key")).
  Check operator()(const Scram& stored) const {
    const Secret salted =
        pbkdf2(stored.hash, password_, stored.salt, stored.iterations, digest_size(stored.hash));
    std::string client_key = hmac(stored.hash, salted.reveal(), "Client Key");
    const std::string stored_key = digest(stored.hash, client_key);
    wipe(client_key);
    return match_if(constant_time_equal(stored.stored_key, stored_key));
  }

 private:
  std::string_view password_;
};

Check compare_hmac(const CramMd5Context& context, std::string_view challenge,
                   std::string_view digest) {
  // What the empty password makes is known to everybody, and never matches.
  return match_if(constant_time_equal(context.hmac(challenge), digest) &&
                  !context.is_of_empty_password());
}

}  // namespace

Check verify(const StoredPassword& stored, std::string_view password) {
  if (password.empty() || password.size() > kMaxPasswordSize ||
      password.find('\0') != std::string_view::npos) {
    return Check::kMismatch;
  }
  try {
    return std::visit(Checker(password), stored);
  } catch (const std::bad_alloc&) {
    return Check::kNoMemory;
  }
}

Check verify_cram_md5(const StoredPassword& stored, std::string_view challenge,
                      std::string_view digest) {
  try {
    if (const auto* const plain = std::get_if<Plaintext>(&stored)) {
      const auto context = CramMd5Context::from_password(plain->password.reveal());
      return compare_hmac(context, challenge, digest);
    }
    if (const auto* const cram = std::get_if<CramMd5>(&stored)) {
      return compare_hmac(cram->context, challenge, digest);
    }
    return Check::kUnusable;
  } catch (const std::bad_alloc&) {
    return Check::kNoMemory;
  }
}

bool is_slow(const StoredPassword& stored) {
  return std::holds_alternative<Crypt>(stored) || std::holds_alternative<Argon2>(stored) ||
         std::holds_alternative<Pbkdf2>(stored) || std::holds_alternative<Scram>(stored);
}

}  // namespace saslatch::password
