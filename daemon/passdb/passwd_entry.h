#ifndef SASLATCH_DAEMON_PASSDB_PASSWD_ENTRY_H_
#define SASLATCH_DAEMON_PASSDB_PASSWD_ENTRY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/passdb/passdb.h"
#include "protocol/base/result.h"

namespace saslatch::passdb {

// One line of a passwd-file in Dovecot's format, "user:password:uid:gid:gecos:home:shell:extra
// fields" (Dovecot's manual, "passwd-file"). Pure: bytes in, values out.

// Longer than any client's line and any stored password; a longer line is no account.
constexpr size_t kMaxPasswdLine = 16384;

// A longer name can be nobody's: Dovecot's own limit for an authcid.
constexpr size_t kMaxNameBytes = 1024;

// Not empty, not too long and without control characters, which would forge lines of the auth
// protocol.
[[nodiscard]] bool is_valid_name(std::string_view name);

// The fields as they stand in the line, borrowed from it.
struct PasswdFields {
  std::string_view name;
  std::string_view password;
  std::string_view uid;
  std::string_view gid;
  std::string_view home;
  std::string_view extra;  // all from the 8th field on, colons included
};

// Splits one line, newline and carriage return removed. No fields for a line that is empty or
// begins with `#` or `:`. An error says why the line can be no account; it never quotes the line,
// which may hold a password anywhere.
Result<std::optional<PasswdFields>> split_passwd_line(std::string_view line);

// The ids of user and group names that stand where a number could; a name that is not here is not
// known to the system.
struct IdNames {
  std::map<std::string, uint32_t, std::less<>> users;
  std::map<std::string, uint32_t, std::less<>> groups;
};

struct PasswdFormat {
  std::string default_scheme;  // of a password without {SCHEME}
  bool lowercase;              // names are folded: the user's own and those of user= and the like
};

// What a loader wants to tell the administrator of a line.
class PasswdNotes {
 public:
  virtual ~PasswdNotes() = default;
  // Something is wrong and what follows from it. Quotes no secret.
  virtual void problem(std::string text) = 0;
  // An extra field that is not obeyed here.
  virtual void ignored(std::string_view field) = 0;
};

// Writes the account that the fields describe, for one who asked for it as `asked`, into `account`,
// which is new. False: the line is not for authentication (`noauthenticate`), the next passdb
// decides.
//
// Obeyed: user= username= domain= allow_nets= nodelay nologin nopassword fail noauthenticate, with
// `:default` and `:protected` (only if not set before), and userdb_uid= userdb_gid= userdb_home=.
// allow_real_nets= is taken as allow_nets=. A boolean is true by its presence. What cannot be read
// never opens an account: a broken user= disables it, a broken network matches nothing. `notes` may
// be null.
[[nodiscard]] bool read_passwd_entry(const PasswdFields& fields, std::string_view asked,
                                     const PasswdFormat& format, const IdNames& ids,
                                     PasswdNotes* notes, Account& account);

// The same for a source that has its fields apart, as a database has columns: they are set in
// `account`, whose name is that asked for and whose credentials are there already.
struct ExtraField {
  std::string_view name;
  std::string_view value;
};
void read_extra_fields(std::span<const ExtraField> fields, bool lowercase, PasswdNotes* notes,
                       Account& account);

// The user and group names of these fields that a caller has to put into IdNames; empty where it is
// a number or nothing.
struct NamedIds {
  std::string_view user;
  std::string_view group;
};
NamedIds named_ids(const PasswdFields& fields);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PASSWD_ENTRY_H_
