#include "daemon/passdb/typical.h"

#include <algorithm>

#include "daemon/password/dummy.h"
#include "daemon/password/stored_password.h"

namespace saslatch::passdb {
namespace {

// What two stored passwords have in common if their checks cost the same.
struct CostKey {
  std::string operator()(const password::Plaintext&) const { return "plain"; }
  std::string operator()(const password::TruncatedPlaintext&) const { return "plain"; }
  std::string operator()(const password::CramMd5&) const { return "cram-md5"; }
  std::string operator()(const password::SaltedDigest&) const { return "digest"; }
  std::string operator()(const password::Crypt& crypt) const {
    return "crypt " + crypt.hashed.substr(0, crypt.salt_begin);
  }
  std::string operator()(const password::Argon2& argon2) const {
    // "$argon2id$v=19$m=65536,t=3,p=1$salt$hash": all before the salt.
    const size_t hash = argon2.encoded.rfind('$');
    if (hash == std::string::npos || hash == 0) return "argon2";
    return argon2.encoded.substr(0, argon2.encoded.rfind('$', hash - 1));
  }
  std::string operator()(const password::Pbkdf2& pbkdf2) const {
    return "pbkdf2 " + std::to_string(pbkdf2.iterations);
  }
  std::string operator()(const password::Scram& scram) const {
    return "scram " + std::to_string(static_cast<int>(scram.hash)) + " " +
           std::to_string(scram.iterations);
  }
};

}  // namespace

void TypicalTally::add(std::string_view stored, std::string_view default_scheme, Random& random) {
  const auto parsed = password::parse(stored, default_scheme);
  if (!parsed) return;
  Group& group = groups_[std::visit(CostKey{}, *parsed)];
  if (group.count++ == 0) group.dummy = password::dummy_like(*parsed, random);
}

TypicalCredential TypicalTally::result(uint64_t accounts) const {
  const auto largest = std::max_element(
      groups_.begin(), groups_.end(),
      [](const auto& a, const auto& b) { return a.second.count < b.second.count; });
  if (largest == groups_.end()) return {};
  return {largest->second.dummy, accounts};
}

}  // namespace saslatch::passdb
