#include "daemon/password/create.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "daemon/password/argon2_string.h"
#include "daemon/password/defaults.h"
#include "daemon/password/limits.h"
#include "daemon/password/random_bytes.h"
#include "daemon/password/system_crypt.h"
#include "protocol/base/base64.h"
#include "protocol/base/crypto/cram_md5_context.h"
#include "protocol/base/crypto/digest.h"

namespace saslatch::password {
namespace {

constexpr std::array<std::string_view, 5> kCreatable = {"ARGON2ID", "SHA512-CRYPT", "BLF-CRYPT",
                                                        "CRAM-MD5", "SCRAM-SHA-256"};

Result<Secret> create_argon2id(std::string_view password, Random& random) {
  const std::string salt = random_bytes(random, crypto_pwhash_SALTBYTES);
  std::string hash(kArgon2HashSize, '\0');
  if (sodium_init() < 0 ||
      crypto_pwhash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(), password.data(),
                    password.size(), reinterpret_cast<const unsigned char*>(salt.data()),
                    kNewArgon2.passes, size_t{kNewArgon2.memory_kib} * 1024,
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return failure("ARGON2ID: no " + std::to_string(kNewArgon2.memory_kib) + " KiB of memory");
  }
  std::string text = "{ARGON2ID}" + encode_argon2(kNewArgon2, salt, hash);
  return Secret::take(text);
}

// `prefix` and `cost` are crypt_gensalt(3)'s.
Result<Secret> create_crypt(const std::string& scheme, const char* prefix, uint32_t cost,
                            std::string_view password, Random& random) {
  const std::string setting = new_setting(prefix, cost, random_bytes(random, 16));
  const auto hashed = system_crypt(password, setting);
  if (!hashed) return failure(scheme + ": the system's crypt(3) refuses it");
  std::string text = "{" + scheme + "}" + *hashed;
  return Secret::take(text);
}

Result<Secret> create_cram_md5(std::string_view password) {
  const auto context = CramMd5Context::from_password(password);
  std::string digits = hex_encode(context.reveal());
  std::string text;
  text.reserve(10 + digits.size());  // once, so that no copy of the context is left behind
  text.append("{CRAM-MD5}").append(digits);
  wipe(digits);
  return Secret::take(text);
}

// RFC 5802, section 3.
Result<Secret> create_scram_sha256(std::string_view password, Random& random) {
  const std::string salt = random_bytes(random, 16);
  const Secret salted = pbkdf2(Hash::kSha256, password, salt, kNewScramIterations, 32);
  std::string client_key = hmac(Hash::kSha256, salted.reveal(), "Client Key");
  const std::string stored_key = digest(Hash::kSha256, client_key);
  const std::string server_key = hmac(Hash::kSha256, salted.reveal(), "Server Key");
  wipe(client_key);
  std::string text = "{SCRAM-SHA-256}" + std::to_string(kNewScramIterations) + "," +
                     base64_encode(salt) + "," + base64_encode(stored_key) + "," +
                     base64_encode(server_key);
  return Secret::take(text);
}

}  // namespace

std::span<const std::string_view> creatable_schemes() { return kCreatable; }

Result<void> check_acceptable(std::string_view password) {
  if (password.empty()) return failure("an empty password is not accepted");
  if (password.size() > kMaxPasswordSize) {
    return failure("the password has " + std::to_string(password.size()) +
                   " bytes; accepted are up to " + std::to_string(kMaxPasswordSize));
  }
  if (password.find_first_of(std::string_view("\0\1\t\r\n", 5)) != std::string_view::npos) {
    return failure(
        "the password holds NUL, 0x01, TAB, CR or LF, which mail programs cannot send; every other "
        "character is accepted");
  }
  return {};
}

Result<Secret> create(std::string_view scheme, std::string_view password, Random& random) {
  const auto acceptable = check_acceptable(password);
  if (!acceptable) return tl::make_unexpected(acceptable.error());
  std::string name(scheme);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (name == "ARGON2ID") return create_argon2id(password, random);
  if (name == "SHA512-CRYPT") {
    return create_crypt(name, "$6$", kNewShaCryptRounds, password, random);
  }
  if (name == "BLF-CRYPT") {
    if (password.size() > kBcryptReads) {
      return failure("BLF-CRYPT reads only the first " + std::to_string(kBcryptReads) +
                     " bytes of a password, and this one has " + std::to_string(password.size()) +
                     "; ARGON2ID and SHA512-CRYPT take it whole");
    }
    return create_crypt(name, "$2y$", kNewBcryptCost, password, random);
  }
  if (name == "CRAM-MD5") return create_cram_md5(password);
  if (name == "SCRAM-SHA-256") return create_scram_sha256(password, random);
  std::string message = "no password can be made with this scheme; accepted are";
  for (const std::string_view known : kCreatable) message.append(" ").append(known);
  return failure(std::move(message));
}

}  // namespace saslatch::password
