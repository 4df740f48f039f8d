#include "protocol/sasl/rules.h"

#include <cstdint>

namespace saslatch::sasl {
namespace {

// RFC 3629, section 4: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const uint8_t lead = byte(i++);
    if (lead < 0x80) continue;
    if (lead < 0xC2 || lead > 0xF4) return false;
    const size_t tail = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    if (text.size() - i < tail) return false;
    const uint8_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(i) < least || byte(i) > most) return false;
    for (size_t k = 1; k < tail; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    i += tail;
  }
  return true;
}

bool is_bounded_and_free_of_nul(std::string_view text, size_t most) {
  return !text.empty() && text.size() <= most && text.find('\0') == std::string_view::npos;
}

}  // namespace

bool is_valid_authcid(std::string_view name) {
  return is_bounded_and_free_of_nul(name, kMaxName) && is_utf8(name);
}

bool is_valid_password(std::string_view password) {
  return is_bounded_and_free_of_nul(password, kMaxPassword);
}

Step conclude(Verdict verdict, const std::string& authcid, const std::string& authzid) {
  switch (verdict) {
    case Verdict::kMatch:
      return Success{authcid, authzid};
    case Verdict::kMismatch:
      return Failure{Refusal::kBadCredentials, authcid};
    case Verdict::kUnavailable:
      break;  // a broken passdb must never count as a wrong password
  }
  return Failure{Refusal::kUnavailable, authcid};
}

}  // namespace saslatch::sasl
