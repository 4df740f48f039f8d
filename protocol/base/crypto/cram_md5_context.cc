// The EVP interface cannot stop and resume a digest at a stored state, so this file alone uses the
// older MD5 functions, which OpenSSL 3 marks deprecated and keeps.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "protocol/base/crypto/cram_md5_context.h"

#include <openssl/md5.h>

#include <array>
#include <cstdint>
#include <utility>

#include "protocol/base/crypto/constant_time.h"
#include "protocol/base/crypto/digest.h"

namespace saslatch {
namespace {

constexpr size_t kBlock = 64;
constexpr size_t kState = 16;

// from_password("").
constexpr std::string_view kOfEmptyPassword(
    "\x00\x74\x7c\xf2\xff\xaf\x11\xc5\xea\x4a\x64\x97\x9c\x39\x01\xfc"
    "\x1d\x20\xde\xe1\x3f\x48\x0b\xb5\x98\xf7\xd8\x57\x5b\x23\xe6\x1b",
    CramMd5Context::kSize);

void put_word(std::string& out, uint32_t word) {
  std::array<char, 4> bytes;
  for (char& byte : bytes) {
    byte = static_cast<char>(word & 0xff);
    word >>= 8;
  }
  out.append(bytes.data(), bytes.size());
}

uint32_t get_word(std::string_view bytes) {
  uint32_t word = 0;
  for (int i = 3; i >= 0; --i)
    word = word << 8 | static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
  return word;
}

void append_state_after(const std::array<unsigned char, kBlock>& block, std::string& out) {
  MD5_CTX md5;
  MD5_Init(&md5);
  MD5_Update(&md5, block.data(), block.size());
  for (const uint32_t word : {md5.A, md5.B, md5.C, md5.D}) put_word(out, word);
  wipe(&md5, sizeof md5);
}

// Resumes at `state`, which stands for one block already digested.
std::string resume(std::string_view state, std::string_view message) {
  MD5_CTX md5;
  MD5_Init(&md5);
  md5.A = get_word(state);
  md5.B = get_word(state.substr(4));
  md5.C = get_word(state.substr(8));
  md5.D = get_word(state.substr(12));
  md5.Nl = kBlock * 8;  // the length so far, in bits
  MD5_Update(&md5, message.data(), message.size());
  std::string out(kState, '\0');
  MD5_Final(reinterpret_cast<unsigned char*>(out.data()), &md5);
  wipe(&md5, sizeof md5);
  return out;
}

}  // namespace

CramMd5Context CramMd5Context::from_password(std::string_view password) {
  std::string digested;
  if (password.size() > kBlock) {
    digested = digest(Hash::kMd5, password);
    password = digested;
  }
  std::string bytes;
  bytes.reserve(kSize);
  for (const unsigned char pad : {0x5c, 0x36}) {
    std::array<unsigned char, kBlock> block;
    block.fill(pad);
    for (size_t i = 0; i < password.size(); ++i)
      block[i] ^= static_cast<unsigned char>(password[i]);
    append_state_after(block, bytes);
    wipe(block.data(), block.size());
  }
  wipe(digested);
  return CramMd5Context(Secret::take(bytes));
}

std::optional<CramMd5Context> CramMd5Context::from_bytes(std::string_view bytes) {
  if (bytes.size() != kSize) return std::nullopt;
  return CramMd5Context(Secret(bytes));
}

bool CramMd5Context::is_of_empty_password() const {
  return constant_time_equal(bytes_.reveal(), kOfEmptyPassword);
}

std::string CramMd5Context::hmac(std::string_view message) const {
  const std::string_view outer = bytes_.reveal().substr(0, kState);
  const std::string_view inner = bytes_.reveal().substr(kState);
  return resume(outer, resume(inner, message));
}

}  // namespace saslatch
