#ifndef SASLATCH_PROTOCOL_DOVECOT_REPLY_LINE_H_
#define SASLATCH_PROTOCOL_DOVECOT_REPLY_LINE_H_

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/dovecot/escape.h"

namespace saslatch::dovecot {

// How both protocols write their lines.

inline void append_number(std::string& out, uint64_t number) {
  char digits[20];  // holds every uint64_t
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// "COMMAND<TAB>number".
inline void append_numbered(std::string& out, std::string_view command, uint64_t number) {
  out += command;
  out += '\t';
  append_number(out, number);
}

// "<TAB>name=value", the value escaped. `name` holds the "=", if there is one.
inline void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += '\t';
  out += name;
  append_escaped(out, value);
}

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_REPLY_LINE_H_
