#include "daemon/state/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace saslatch::state {

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

DirectoryLock::Outcome DirectoryLock::acquire(const std::string& directory) {
  const std::string file = directory + "/lock";
  descriptor_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor_ < 0) descriptor_ = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) {
    reason_ = directory + ": " + std::strerror(errno);
    return Outcome::kImpossible;
  }
  int done = 0;
  do {
    done = flock(descriptor_, LOCK_EX | LOCK_NB);
  } while (done != 0 && errno == EINTR);
  if (done == 0) return Outcome::kHeld;
  const int error = errno;
  close(descriptor_);
  descriptor_ = -1;
  if (error == EWOULDBLOCK) {
    reason_ =
        "another saslatchd uses " + directory + ": stop it, or give this one its own state-dir";
    return Outcome::kTaken;
  }
  reason_ = file + ": " + std::strerror(error);
  return Outcome::kImpossible;
}

}  // namespace saslatch::state
