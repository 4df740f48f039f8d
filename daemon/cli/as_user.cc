#include "daemon/cli/as_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace saslatch::cli {

std::optional<UserIds> find_user(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0) {
    return std::nullopt;
  }
  if (found == nullptr) return std::nullopt;
  return UserIds{name, entry.pw_uid, entry.pw_gid};
}

int probe_as(const UserIds& user, const std::function<int()>& probe) {
  if (::geteuid() != 0) return -1;
  constexpr int kNoRights = 255;  // no errno value is so large
  const pid_t child = ::fork();
  if (child < 0) return -1;
  if (child == 0) {
    if (::initgroups(user.name.c_str(), user.gid) != 0 || ::setgid(user.gid) != 0 ||
        ::setuid(user.uid) != 0) {
      ::_exit(kNoRights);
    }
    ::_exit(probe());
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) == kNoRights) return -1;
  return WEXITSTATUS(status);
}

}  // namespace saslatch::cli
