#ifndef SASLATCH_DAEMON_PASSDB_LDAP_LDAP_CONNECTION_H_
#define SASLATCH_DAEMON_PASSDB_LDAP_LDAP_CONNECTION_H_

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/passdb/authenticator.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

struct LdapServer {
  std::string uri;       // one or more, separated by spaces: the first that answers
  bool starttls = true;  // for an ldap:// URI; ldaps:// has TLS anyway, ldapi:// needs none
  std::string ca_file;   // to verify the server's certificate; empty: those of the system
  // A connection is not waited for longer than this, nor is any one answer.
  std::chrono::milliseconds timeout{2000};
};

// An entry that a search found: its DN, and the values of each attribute that was asked for. Names
// of attributes are in lower case.
struct LdapEntry {
  std::string dn;
  std::map<std::string, std::vector<Secret>> values;

  // Of `attribute` in any case; none where the entry does not show it.
  [[nodiscard]] const std::vector<Secret>& of(std::string_view attribute) const;
};

struct NoEntry {};

// What is wrong with the server, the network or the question; for the log.
struct LdapTrouble {
  std::string reason;
  bool is_connection_lost = false;  // another connection may do better
  bool is_late = false;             // lost because no answer came in time
};

using LdapFound = std::variant<LdapEntry, NoEntry, LdapTrouble>;

struct LdapSearch {
  std::string base;
  bool whole_subtree = true;  // false: the base itself
  std::string filter;
  std::vector<std::string> attributes;
};

// One connection to an LDAP server (libldap), as one identity. Blocks, never longer than
// LdapServer::timeout for each round trip. Not thread-safe. Follows no referral and no alias.
//
// After an LdapTrouble with is_connection_lost it is of no use any more.
class LdapConnection {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Connects, with TLS where the server's settings say so: then the server's certificate is good
  // for its name, or it is an error.
  static Result<LdapConnection> open(const LdapServer& server);

  LdapConnection(LdapConnection&&) noexcept;
  LdapConnection& operator=(LdapConnection&&) noexcept;
  ~LdapConnection();

  // False if the server has closed it, from a look that waits for nothing.
  [[nodiscard]] bool is_alive() const;

  // Binds as the service, for searches. An empty DN: anonymously. An error is for the log.
  Result<void> bind_service(const std::string& dn, const Secret& password, Milliseconds at_most);

  // Exactly one entry is an LdapEntry; none is NoEntry, more than one is LdapTrouble.
  LdapFound search(const LdapSearch& search, Milliseconds at_most);

  // Whether `password` is that of `dn`: binds as it. An empty one is wrong without being asked
  // about: such a bind succeeds and is anonymous (RFC 4513, 5.1.2). The connection has that
  // identity, or none, afterwards. See verdict_of_bind() for what answers mean.
  struct Bound {
    ProofResult result;
    bool is_connection_lost = false;
    bool is_late = false;
  };
  Bound bind_user(const std::string& dn, const Secret& password, Milliseconds at_most);

 private:
  struct Handle;
  explicit LdapConnection(std::unique_ptr<Handle> handle, Milliseconds timeout);

  std::unique_ptr<Handle> handle_;
  Milliseconds timeout_;
};

// What the answer to a bind means. `code` is the resultCode (RFC 4511, 4.1.9); `text` the server's
// diagnosticMessage, in which Active Directory says more ("data 775"); `policy` the error of the
// password policy control (draft-behera-ldap-password-policy, 6.2), -1 where there is none.
[[nodiscard]] ProofVerdict verdict_of_bind(int code, std::string_view text, int policy);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_LDAP_LDAP_CONNECTION_H_
