#include "protocol/dovecot/escape.h"

namespace saslatch::dovecot {
namespace {

// The character after 0x01 for a byte that must be escaped, else 0.
char code_of(char byte) {
  switch (byte) {
    case '\0':
      return '0';
    case kEscape:
      return '1';
    case '\t':
      return 't';
    case '\r':
      return 'r';
    case '\n':
      return 'n';
    default:
      return 0;
  }
}

char byte_of(char code) {
  switch (code) {
    case '0':
      return '\0';
    case '1':
      return kEscape;
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'n':
      return '\n';
    default:
      return code;
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view value) {
  size_t clean = 0;  // start of the stretch not yet copied
  for (size_t i = 0; i < value.size(); ++i) {
    const char code = code_of(value[i]);
    if (code == 0) continue;
    out.append(value, clean, i - clean);
    out.push_back(kEscape);
    out.push_back(code);
    clean = i + 1;
  }
  out.append(value, clean);
}

std::string unescaped(std::string_view field) {
  std::string out;
  out.reserve(field.size());
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] != kEscape) {
      out.push_back(field[i]);
    } else if (++i < field.size()) {
      out.push_back(byte_of(field[i]));
    }
  }
  return out;
}

}  // namespace saslatch::dovecot
