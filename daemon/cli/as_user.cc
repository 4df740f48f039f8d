#include "daemon/cli/as_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace saslatch::cli {

namespace {

// `look_up(entry, buffer, size, found)` is getpwnam_r or getpwuid_r with its key.
template <typename LookUp>
std::optional<UserIds> find(LookUp look_up) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (look_up(&entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return UserIds{entry.pw_name, entry.pw_uid, entry.pw_gid};
}

}  // namespace

std::optional<UserIds> find_user(const std::string& name) {
  return find([&name](passwd* entry, char* buffer, size_t size, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
  });
}

std::optional<UserIds> find_user(uid_t uid) {
  return find([uid](passwd* entry, char* buffer, size_t size, passwd** found) {
    return ::getpwuid_r(uid, entry, buffer, size, found);
  });
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
