#ifndef SASLATCH_DAEMON_AUDIT_SAFE_TEXT_H_
#define SASLATCH_DAEMON_AUDIT_SAFE_TEXT_H_

#include <algorithm>
#include <string>
#include <string_view>

#include "daemon/audit/audit.h"

namespace saslatch {

// Appends `text`, which may be anything, as a JSON string with its quotes: valid UTF-8, one line,
// and harmless on a terminal. Bytes that are no UTF-8 become U+FFFD; controls (C0, DEL, C1), line
// separators and bidirectional overrides are escaped; beyond kMaxAuditString bytes it is cut at a
// character and ends in U+2026.
void append_json_string(std::string_view text, std::string& out);

// The same where `to` has json_string_room() bytes; returns the end.
char* put_json_string(std::string_view text, char* to);
// No byte of the text becomes more than six ("\u001f"); quotes and the ellipsis come on top.
constexpr size_t json_string_room(std::string_view text) {
  return 6 * std::min(text.size(), kMaxAuditString) + 5;
}

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_SAFE_TEXT_H_
