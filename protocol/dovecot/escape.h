#ifndef SASLATCH_PROTOCOL_DOVECOT_ESCAPE_H_
#define SASLATCH_PROTOCOL_DOVECOT_ESCAPE_H_

#include <string>
#include <string_view>

namespace saslatch::dovecot {

// The tab-escaping of Dovecot's auth and master protocols: 0x01 and one character stand for a byte
// that would end a field or a line (NUL `0`, 0x01 `1`, TAB `t`, CR `r`, LF `n`). Lines are split at
// TAB first and unescaped field by field; the other order would let a value forge fields.

inline constexpr char kEscape = '\001';

// Appends `value`, escaped, to `out`.
void append_escaped(std::string& out, std::string_view value);

// What `field` stands for. 0x01 and any other character is that character; a lone 0x01 at the end
// is dropped. Never fails.
std::string unescaped(std::string_view field);

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_ESCAPE_H_
