#include "daemon/state/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace saslatch::state {

tl::expected<DirectoryLock, DirectoryLock::Error> DirectoryLock::claim(
    const std::string& directory) {
  DirectoryLock lock(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.fd_ >= 0 && flock(lock.fd_, LOCK_EX | LOCK_NB) == 0) return lock;
  if (lock.fd_ >= 0 && errno == EWOULDBLOCK) {
    return tl::unexpected(Error{Failure::kHeld, "another saslatchd runs on the state directory " +
                                                    directory +
                                                    "; stop it, or set another "
                                                    "[daemon] state-dir and run-dir"});
  }
  return tl::unexpected(
      Error{Failure::kNoAccess,
            "the state directory " + directory + " cannot be locked: " + std::strerror(errno)});
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace saslatch::state
