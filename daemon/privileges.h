#ifndef SASLATCH_DAEMON_PRIVILEGES_H_
#define SASLATCH_DAEMON_PRIVILEGES_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "protocol/base/result.h"

namespace saslatch {

struct UserIds {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// A user by name or number; nullopt if there is none.
std::optional<UserIds> find_user(const std::string& name);
// A group's number by name or number.
std::optional<gid_t> find_group(const std::string& name);

// Whom the process runs as now.
UserIds current_user();

// Makes `path` and its missing parents; those it makes get `mode` and, for root, belong to `owner`.
// A directory that is there is left as it is.
Result<void> make_directory(const std::string& path, mode_t mode,
                            const std::optional<UserIds>& owner);

// Becomes `user` for good, with the groups it is a member of. The caller is root.
Result<void> become(const UserIds& user);

// As many descriptors as the hard limit allows: each client needs one.
void raise_descriptor_limit();

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_PRIVILEGES_H_
