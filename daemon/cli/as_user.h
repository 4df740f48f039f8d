#ifndef SASLATCH_DAEMON_CLI_AS_USER_H_
#define SASLATCH_DAEMON_CLI_AS_USER_H_

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace saslatch::cli {

struct UserIds {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Of the system's user database.
std::optional<UserIds> find_user(const std::string& name);
std::optional<UserIds> find_user(uid_t uid);

// What `probe` returns, run in a child process with all the rights of `user` and no others (uid,
// gid, supplementary groups). `probe` returns an errno value, 0 for success, and does nothing but
// system calls. -1 if there is no such child: this needs root.
int probe_as(const UserIds& user, const std::function<int()>& probe);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_AS_USER_H_
