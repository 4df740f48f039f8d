#ifndef SASLATCH_DAEMON_CLI_SECRET_INPUT_H_
#define SASLATCH_DAEMON_CLI_SECRET_INPUT_H_

#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::cli {

// The longest password that is read: what the mechanisms carry (PLAIN's field is bounded so).
inline constexpr size_t kMaxPassword = 1024;

// The first line of the file descriptor (--password-stdin), without its line end. Reads no byte
// behind that line, so that a script may go on with the rest. An empty line, none at all, a NUL or
// more than kMaxPassword bytes are errors. No copy is left in a buffer.
Result<Secret> read_password_line(int descriptor);

// Asks on /dev/tty without echo; `twice` asks again and compares, for a new password. The echo is
// back before this returns, also after Ctrl-C. An error where there is no terminal.
Result<Secret> prompt_password(std::string_view prompt, bool twice);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_SECRET_INPUT_H_
