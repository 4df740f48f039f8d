#ifndef SASLATCH_DAEMON_PASSDB_LDAP_LDAP_TEXT_H_
#define SASLATCH_DAEMON_PASSDB_LDAP_LDAP_TEXT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace saslatch::passdb {

// What a name becomes inside a filter or a DN: each byte that is no ASCII letter, digit, `.`, `_`,
// `-` or `@` is written "\XX", which RFC 4515 (section 3, for filters) and RFC 4514 (section 2.4,
// for DNs) both define. So no name ends a value, adds a condition or climbs in the tree.
[[nodiscard]] std::string escape_ldap(std::string_view text);

// A DN or filter with %u (the whole name), %n (what is before its @), %d (what is behind it) and
// %% in it.
class LdapTemplate {
 public:
  // An error says which `%` means nothing, or that no part of the name is in it.
  static Result<LdapTemplate> parse(std::string_view text);

  // With the parts of `username` put in, escaped. nullopt where a part that is asked for is empty:
  // then nobody is meant, and an empty value must not match.
  [[nodiscard]] std::optional<std::string> fill(std::string_view username) const;

 private:
  struct Piece {
    char variable = 0;  // 0: text
    std::string text;
  };
  std::vector<Piece> pieces_;
};

// `attributes`: words like "uid=user", the attribute of an entry and what it says of the account.
struct LdapAttributes {
  std::string user;        // the canonical name
  std::string password;    // what is stored
  std::string nologin;     // any value but FALSE, NO, 0 and nothing disables
  std::string allow_nets;  // networks; each value may have several, separated by commas
  std::string uid, gid, home;

  static Result<LdapAttributes> parse(std::string_view words);
  // Those that are named, to be asked for.
  [[nodiscard]] std::vector<std::string> names() const;
};

// A value of userPassword as the password layer reads it, "{SCHEME}data". Without a scheme it is
// the password itself (RFC 4519, 2.41); {MD5} is a digest in LDAP (RFC 2307, 5.3), whereas Dovecot
// means crypt's by it.
[[nodiscard]] std::string stored_password_of_ldap(std::string_view value);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_LDAP_LDAP_TEXT_H_
