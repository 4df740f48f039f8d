#include "daemon/audit/safe_text.h"

#include <array>
#include <cstdint>

namespace saslatch {
namespace {

constexpr char32_t kReplacement = 0xfffd;
constexpr std::string_view kReplacementBytes = "\xef\xbf\xbd";
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";

// What stands in a JSON string, and on a terminal, for itself.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

struct Character {
  char32_t code;
  size_t size;  // bytes taken
};

// The first character of `text`, which is not empty. Strict UTF-8 (RFC 3629): no overlong form, no
// surrogate, nothing above U+10FFFF; otherwise one byte is taken for a U+FFFD.
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xc2 && lead <= 0xdf   ? 2
                      : lead >= 0xe0 && lead <= 0xef ? 3
                      : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                     : 0;
  if (size == 0 || text.size() < size) return {kReplacement, 1};
  char32_t code = lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {kReplacement, 1};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kSmallest[size] || code > 0x10ffff || surrogate) return {kReplacement, 1};
  return {code, size};
}

bool is_harmful(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||  // controls
         code == 0x200e || code == 0x200f || code == 0x061c ||
         (code >= 0x2028 && code <= 0x202e) ||  // separators, bidirectional embeddings
         (code >= 0x2066 && code <= 0x2069);    // ... and isolates
}

char* put(std::string_view text, char* to) { return to + text.copy(to, text.size()); }

char* put_escape(char32_t code, char* to) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (code) {
    case '\n':
      return put("\\n", to);
    case '\r':
      return put("\\r", to);
    case '\t':
      return put("\\t", to);
  }
  to = put("\\u", to);
  for (int shift = 12; shift >= 0; shift -= 4) *to++ = kHex[code >> shift & 0xf];
  return to;
}

}  // namespace

char* put_json_string(std::string_view text, char* to) {
  const size_t end = std::min(text.size(), kMaxAuditString);
  *to++ = '"';
  size_t at = 0;
  while (true) {
    // Nearly every text is plain to its end.
    const size_t begin = at;
    while (at < end && kPlain[static_cast<uint8_t>(text[at])]) ++at;
    to = put(text.substr(begin, at - begin), to);
    if (at >= end) break;
    const Character c = first_character(text.substr(at));
    if (at + c.size > kMaxAuditString) break;
    if (c.code == '"' || c.code == '\\') {
      *to++ = '\\';
      *to++ = static_cast<char>(c.code);
    } else if (is_harmful(c.code)) {
      to = put_escape(c.code, to);
    } else if (c.code == kReplacement) {
      to = put(kReplacementBytes, to);
    } else {
      to = put(text.substr(at, c.size), to);
    }
    at += c.size;
  }
  if (at < text.size()) to = put(kEllipsis, to);
  *to++ = '"';
  return to;
}

void append_json_string(std::string_view text, std::string& out) {
  const size_t begin = out.size();
  out.resize(begin + json_string_room(text));
  out.resize(static_cast<size_t>(put_json_string(text, out.data() + begin) - out.data()));
}

}  // namespace saslatch
