#include "daemon/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <vector>

namespace saslatch {
namespace {

template <typename Number>
std::optional<Number> number(const std::string& text) {
  Number value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::string reason(const std::string& what) { return what + ": " + std::strerror(errno); }

}  // namespace

std::optional<UserIds> find_user(const std::string& name) {
  // Runs at start and at a reload, on one thread.
  if (const passwd* const entry = getpwnam(name.c_str())) {  // NOLINT(concurrency-mt-unsafe)
    return UserIds{entry->pw_name, entry->pw_uid, entry->pw_gid};
  }
  if (const auto uid = number<uid_t>(name)) {
    if (const passwd* const entry = getpwuid(*uid)) {  // NOLINT(concurrency-mt-unsafe)
      return UserIds{entry->pw_name, entry->pw_uid, entry->pw_gid};
    }
  }
  return std::nullopt;
}

std::optional<gid_t> find_group(const std::string& name) {
  if (const group* const entry = getgrnam(name.c_str())) {  // NOLINT(concurrency-mt-unsafe)
    return entry->gr_gid;
  }
  return number<gid_t>(name);
}

UserIds current_user() {
  const uid_t uid = geteuid();
  if (const auto known = find_user(std::to_string(uid))) return *known;
  return {std::to_string(uid), uid, getegid()};
}

Result<void> make_directory(const std::string& path, mode_t mode,
                            const std::optional<UserIds>& owner) {
  std::vector<std::string> missing;
  for (std::filesystem::path at = path; !at.empty() && at != at.root_path();
       at = at.parent_path()) {
    struct stat found {};
    if (stat(at.c_str(), &found) == 0) {
      if (S_ISDIR(found.st_mode)) break;
      return failure(at.string() + " is not a directory");
    }
    missing.push_back(at.string());
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    if (mkdir(at->c_str(), mode) != 0 && errno != EEXIST) {
      return failure(reason("cannot make directory " + *at));
    }
    if (owner && chown(at->c_str(), owner->uid, owner->gid) != 0) {
      return failure(reason("cannot give directory " + *at + " to " + owner->name));
    }
  }
  return {};
}

Result<void> become(const UserIds& user) {
  if (initgroups(user.name.c_str(), user.gid) != 0 ||
      setresgid(user.gid, user.gid, user.gid) != 0 ||
      setresuid(user.uid, user.uid, user.uid) != 0) {
    return failure(reason("cannot become user " + user.name));
  }
  // No way back, not even through a set-user-id program.
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return {};
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace saslatch
