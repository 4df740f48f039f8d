#include "daemon/passdb/code_text.h"

#include "protocol/base/crypto/digest.h"

namespace saslatch::passdb {
namespace {

constexpr size_t kGroup = 4;
// What may be typed: the code, a blank or dash between all characters, some at the ends.
constexpr size_t kMaxTyped = 64;

// '\0': no character of a code.
constexpr char meant(char typed) {
  if (typed >= 'A' && typed <= 'Z') typed = static_cast<char>(typed - 'A' + 'a');
  if (typed == 'o') return '0';
  if (typed == 'i' || typed == 'l') return '1';
  return kCodeAlphabet.find(typed) == std::string_view::npos ? '\0' : typed;
}

std::string message(std::string_view kind, std::string_view account, std::string_view secret) {
  std::string text;
  text.reserve(kind.size() + account.size() + secret.size() + 2);
  text.append(kind).append(1, '\0').append(account).append(1, '\0').append(secret);
  return text;
}

}  // namespace

Secret make_code(Random& random) {
  std::array<uint8_t, kCodeSize> bytes;
  random.fill(bytes);
  std::string text;
  text.reserve(kCodeSize + kCodeSize / kGroup);
  for (size_t i = 0; i < kCodeSize; ++i) {
    if (i != 0 && i % kGroup == 0) text += '-';
    text += kCodeAlphabet[bytes[i] % kCodeAlphabet.size()];  // 32 divides 256: no bias
  }
  wipe(bytes.data(), bytes.size());
  return Secret::take(text);
}

std::optional<Secret> normalise_code(std::string_view typed) {
  if (typed.size() < kCodeSize || typed.size() > kMaxTyped) return std::nullopt;
  char code[kCodeSize];
  size_t size = 0;
  bool well = true;
  for (const char c : typed) {
    if (c == ' ' || c == '-') continue;
    const char read = meant(c);
    well = read != '\0' && size < kCodeSize;
    if (!well) break;
    code[size++] = read;
  }
  std::optional<Secret> normal;
  if (well && size == kCodeSize) normal.emplace(std::string_view(code, size));
  wipe(code, sizeof code);
  return normal;
}

std::array<Secret, kCodeSpellings> spellings_of(const Secret& shown) {
  auto bare = normalise_code(shown.reveal());
  return {shown.clone(), bare ? *std::move(bare) : Secret()};
}

CodeKey::CodeKey(const Secret& secret_key) {
  // A key of its own for each use, so that what is sealed and what is hashed have nothing in
  // common.
  std::string derived = hmac(Hash::kSha256, secret_key.reveal(), "saslatch authorization codes 1");
  key_ = Secret::take(derived);
}

std::string CodeKey::hash_code(std::string_view account, std::string_view code) const {
  std::string text = message("code", account, code);
  std::string hash = hmac(Hash::kSha256, key_.reveal(), text);
  wipe(text);
  hash.resize(kHashSize);
  return hash;
}

std::string CodeKey::hash_old_password(std::string_view account, std::string_view password) const {
  std::string text = message("old password", account, password);
  std::string hash = hmac(Hash::kSha256, key_.reveal(), text);
  wipe(text);
  hash.resize(kHashSize);
  return hash;
}

}  // namespace saslatch::passdb
