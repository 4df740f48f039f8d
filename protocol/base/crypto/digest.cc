#include "protocol/base/crypto/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>
#include <new>

namespace saslatch {
namespace {

// Fetched once: the lookup by name costs more than a short digest.
const EVP_MD* algorithm(Hash hash) {
  static const EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static const EVP_MD* const sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  const EVP_MD* found = nullptr;
  switch (hash) {
    case Hash::kMd5:
      found = md5;
      break;
    case Hash::kSha1:
      found = sha1;
      break;
    case Hash::kSha256:
      found = sha256;
      break;
    case Hash::kSha512:
      found = sha512;
      break;
  }
  // A system that forbids MD5 (FIPS) has no such digest; nothing can be verified with it then.
  if (found == nullptr) throw std::bad_alloc();
  return found;
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

size_t digest_size(Hash hash) {
  switch (hash) {
    case Hash::kMd5:
      return 16;
    case Hash::kSha1:
      return 20;
    case Hash::kSha256:
      return 32;
    case Hash::kSha512:
      return 64;
  }
  return 0;
}

std::string digest(Hash hash, std::string_view first, std::string_view second) {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  std::string out(digest_size(hash), '\0');
  if (!context || EVP_DigestInit_ex2(context.get(), algorithm(hash), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), first.data(), first.size()) != 1 ||
      EVP_DigestUpdate(context.get(), second.data(), second.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), bytes_of(out), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return out;
}

std::string hmac(Hash hash, std::string_view key, std::string_view message) {
  std::string out(digest_size(hash), '\0');
  unsigned int size = 0;
  if (HMAC(algorithm(hash), key.empty() ? "" : key.data(), static_cast<int>(key.size()),
           bytes_of(message), message.size(), bytes_of(out), &size) == nullptr) {
    throw std::bad_alloc();
  }
  return out;
}

Secret pbkdf2(Hash hash, std::string_view password, std::string_view salt, uint32_t iterations,
              size_t size) {
  std::string out(size, '\0');
  if (PKCS5_PBKDF2_HMAC(password.empty() ? "" : password.data(), static_cast<int>(password.size()),
                        bytes_of(salt), static_cast<int>(salt.size()), static_cast<int>(iterations),
                        algorithm(hash), static_cast<int>(size), bytes_of(out)) != 1) {
    throw std::bad_alloc();
  }
  return Secret::take(out);
}

}  // namespace saslatch
