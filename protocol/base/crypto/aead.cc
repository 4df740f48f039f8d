#include "protocol/base/crypto/aead.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>
#include <memory>
#include <new>

namespace saslatch {
namespace {

constexpr size_t kNonce = 12;
constexpr size_t kTag = 16;

struct Free {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;

const unsigned char* in(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

int length(std::string_view text) { return static_cast<int>(text.size()); }

}  // namespace

std::string seal(const Secret& key, std::string_view plaintext, std::string_view associated,
                 Random& random) {
  assert(key.size() == kAeadKeySize);
  std::array<uint8_t, kNonce> nonce;
  random.fill(nonce);
  std::string out(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  out.resize(kNonce + plaintext.size() + kTag);
  auto* const body = reinterpret_cast<unsigned char*>(out.data()) + kNonce;
  const Context context(EVP_CIPHER_CTX_new());
  int written = 0;
  if (!context ||
      EVP_EncryptInit_ex2(context.get(), EVP_aes_256_gcm(), in(key.reveal()), nonce.data(),
                          nullptr) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &written, in(associated), length(associated)) !=
          1 ||
      EVP_EncryptUpdate(context.get(), body, &written, in(plaintext), length(plaintext)) != 1 ||
      EVP_EncryptFinal_ex(context.get(), body + written, &written) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTag, body + plaintext.size()) !=
          1) {
    throw std::bad_alloc();
  }
  return out;
}

std::optional<Secret> open_sealed(const Secret& key, std::string_view sealed,
                                  std::string_view associated) {
  if (key.size() != kAeadKeySize || sealed.size() < kNonce + kTag) return std::nullopt;
  const std::string_view body = sealed.substr(kNonce, sealed.size() - kNonce - kTag);
  std::string tag(sealed.substr(sealed.size() - kTag));
  std::string out(body.size(), '\0');
  auto* const plain = reinterpret_cast<unsigned char*>(out.data());
  const Context context(EVP_CIPHER_CTX_new());
  if (!context) throw std::bad_alloc();
  int written = 0;
  const bool genuine =
      EVP_DecryptInit_ex2(context.get(), EVP_aes_256_gcm(), in(key.reveal()), in(sealed),
                          nullptr) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &written, in(associated), length(associated)) ==
          1 &&
      EVP_DecryptUpdate(context.get(), plain, &written, in(body), length(body)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), plain + written, &written) == 1;
  Secret secret = Secret::take(out);
  if (!genuine) return std::nullopt;
  return secret;
}

}  // namespace saslatch
