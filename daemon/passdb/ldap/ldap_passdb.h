#ifndef SASLATCH_DAEMON_PASSDB_LDAP_LDAP_PASSDB_H_
#define SASLATCH_DAEMON_PASSDB_LDAP_LDAP_PASSDB_H_

#include <memory>
#include <string>
#include <string_view>

#include "daemon/passdb/module.h"
#include "daemon/passdb/passdb.h"

namespace saslatch::passdb {

// driver = ldap: accounts in a directory, in one of three ways.
//
//  user-dn            the DN is made of the name, and whoever can bind as it is let in. One round
//                     trip. Nobody can say whether there is such an entry: each name is presumed,
//                     and a server that hides which DNs exist calls an unknown user wrong.
//  base and filter    the entry is searched for, as bind-dn, and then bound to.
//  ... with bind = no the entry is searched for and its userPassword compared here.
//
// A bind that is to judge a password has a connection of its own, since it changes whose connection
// it is. Referrals are not followed. What the entry says besides (`attributes`) is obeyed like the
// extra fields of a passwd-file.
//
// Everything that waits is on the threads of a ConnectionPool: a server that hangs delays its own
// users, and by `timeout` at most.
class LdapPassdb final : public Passdb {
 public:
  // Connects to nothing. The error is for an administrator: templates or attributes that mean
  // nothing, or neither user-dn nor filter.
  static Result<std::shared_ptr<Passdb>> make(const PassdbSettings& settings,
                                              const PassdbParts& parts);
  ~LdapPassdb() override;

  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] bool blocks() const override;
  void find(std::string username, std::function<void(Lookup)> done) override;
  // Nobody: a directory may have more names than an answer has room for, and not all are ours.
  bool list(std::string_view mask, const std::function<bool(std::string_view name)>& each) override;
  [[nodiscard]] TypicalCredential typical_credential() const override;
  [[nodiscard]] PassdbStatus status() const override;
  // Connects and binds as bind-dn.
  [[nodiscard]] Result<void> check_usable() override;
  void stop() override;

 private:
  class Impl;
  explicit LdapPassdb(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;  // also of authenticators that are under way
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_LDAP_LDAP_PASSDB_H_
