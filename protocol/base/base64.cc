#include "protocol/base/base64.h"

#include <array>
#include <cstdint>

namespace saslatch {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kForeign = 0xff;

constexpr std::array<uint8_t, 256> kValueOf = [] {
  std::array<uint8_t, 256> values{};
  values.fill(kForeign);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return values;
}();

// Decodes digits that carry no padding. A lone digit, or unused bits that are not zero, would give
// one value two spellings.
//
// `to` has room for decoded_size(digits). clang's analyzer thinks that may be none where there are
// digits to write: it does not multiply. NOLINTBEGIN(clang-analyzer-core.NullDereference)
bool decode_digits(std::string_view digits, char* to) {
  const auto value_of = [&digits](size_t i) {
    return uint32_t{kValueOf[static_cast<uint8_t>(digits[i])]};
  };
  size_t i = 0;
  for (; i + 4 <= digits.size(); i += 4) {
    const uint32_t a = value_of(i), b = value_of(i + 1), c = value_of(i + 2), d = value_of(i + 3);
    if ((a | b | c | d) > 63) return false;
    const uint32_t bits = a << 18 | b << 12 | c << 6 | d;
    *to++ = static_cast<char>(bits >> 16);
    *to++ = static_cast<char>(bits >> 8 & 0xff);
    *to++ = static_cast<char>(bits & 0xff);
  }
  const size_t left = digits.size() - i;
  if (left == 0) return true;
  if (left == 1) return false;
  const uint32_t a = value_of(i), b = value_of(i + 1), c = left == 3 ? value_of(i + 2) : 0;
  if ((a | b | c) > 63) return false;
  const uint32_t bits = a << 12 | b << 6 | c;
  *to++ = static_cast<char>(bits >> 10);
  if (left == 3) *to++ = static_cast<char>(bits >> 2 & 0xff);
  return (bits & (left == 3 ? 0x3u : 0x3ffu)) == 0;
}
// NOLINTEND(clang-analyzer-core.NullDereference)

size_t decoded_size(std::string_view digits) { return digits.size() * 3 / 4; }

// The digits of a text with its padding; nullopt: their number cannot be right.
std::optional<std::string_view> without_padding(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  char* to = out.data();
  for (size_t i = 0; i < bytes.size(); i += 3, to += 4) {
    const size_t left = bytes.size() - i;
    uint32_t bits = uint32_t{static_cast<uint8_t>(bytes[i])} << 16;
    if (left > 1) bits |= uint32_t{static_cast<uint8_t>(bytes[i + 1])} << 8;
    if (left > 2) bits |= static_cast<uint8_t>(bytes[i + 2]);
    to[0] = kAlphabet[bits >> 18];
    to[1] = kAlphabet[bits >> 12 & 63];
    if (left > 1) to[2] = kAlphabet[bits >> 6 & 63];
    if (left > 2) to[3] = kAlphabet[bits & 63];
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  const auto digits = without_padding(text);
  return digits ? base64_decode_unpadded(*digits) : std::nullopt;
}

std::optional<Secret> base64_decode_secret(std::string_view text) {
  const auto digits = without_padding(text);
  if (!digits) return std::nullopt;
  bool is_valid = false;
  Secret secret =
      Secret::made(decoded_size(*digits), [&](char* to) { is_valid = decode_digits(*digits, to); });
  if (!is_valid) return std::nullopt;
  return secret;
}

std::optional<std::string> base64_decode_unpadded(std::string_view digits) {
  std::string out(decoded_size(digits), '\0');
  if (!decode_digits(digits, out.data())) return std::nullopt;
  return out;
}

std::string hex_encode(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(bytes.size() * 2, '\0');
  char* to = out.data();
  for (const char c : bytes) {
    *to++ = kDigits[static_cast<uint8_t>(c) >> 4];
    *to++ = kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out(text.size() / 2, '\0');
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<char>(high << 4 | low);
  }
  return out;
}

}  // namespace saslatch
