#ifndef SASLATCH_DAEMON_SESSION_USERNAME_H_
#define SASLATCH_DAEMON_SESSION_USERNAME_H_

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace saslatch {

// [usernames]: how a name that a client sent becomes the one that is looked up and counted.
struct UsernameRules {
  bool lowercase = true;       // ASCII letters only
  std::string default_domain;  // appended to a name without "@"; empty: none
  std::bitset<256> allowed;    // bytes a name may hold, after lowercase

  // Sets `allowed` to the bytes of `chars`.
  void allow(std::string_view chars);
};

// RFC 4616 wants 255 to work; Dovecot and Cyrus take 1024.
constexpr size_t kMaxUsername = 1024;

// `raw` without spaces at its ends (mail programs paste them; Cyrus strips them too), in lower
// case, with the default domain. nullopt, meaning malformed and never looked up: empty, longer than
// kMaxUsername, or with a byte that is not allowed.
std::optional<std::string> normalise_username(std::string_view raw, const UsernameRules& rules);

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_USERNAME_H_
