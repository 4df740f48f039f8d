#ifndef SASLATCH_DAEMON_PASSWORD_SYSTEM_CRYPT_H_
#define SASLATCH_DAEMON_PASSWORD_SYSTEM_CRYPT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace saslatch::password {

// crypt_r(3) for a password without NUL of at most kMaxPasswordSize bytes (asserted). `setting` may
// be a whole stored string. nullopt if the system refuses it. Its working memory and the copy of
// the password are wiped. Thread-safe; takes as long as the setting says.
std::optional<std::string> system_crypt(std::string_view password, const std::string& setting);

// crypt_gensalt(3): the setting for a method's `prefix` and `cost` with a salt out of `entropy` (16
// bytes). Empty if the system does not know the method.
std::string new_setting(const char* prefix, uint32_t cost, std::string_view entropy);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_SYSTEM_CRYPT_H_
