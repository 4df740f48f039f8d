#ifndef SASLATCH_DAEMON_CONFIG_SECRET_FILES_H_
#define SASLATCH_DAEMON_CONFIG_SECRET_FILES_H_

#include <string>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::config {

// Secrets that a configuration names by their file, so that saslatch.conf holds none. A file that
// others than its owner and group may read is not used. The errors are reasons for people, without
// the path, and never quote the content.

// The first line, without its end; 1 to kMaxPasswordBytes bytes without control characters.
Result<Secret> read_password_file(const std::string& path);

// The bytes of a key: a file of printable text is base64 or hexadecimal, white space around it
// left out; any other file is the key as it is. At least kMinKeyBytes and at most kMaxKeyFileBytes.
// Whether they are random nobody can tell, but a passphrase is refused as neither of these.
Result<Secret> read_key_file(const std::string& path);

inline constexpr size_t kMinKeyBytes = 32;
inline constexpr size_t kMaxKeyFileBytes = 4096;
inline constexpr size_t kMaxPasswordBytes = 1024;

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_SECRET_FILES_H_
