#ifndef SASLATCH_DAEMON_STATE_DIRECTORY_LOCK_H_
#define SASLATCH_DAEMON_STATE_DIRECTORY_LOCK_H_

#include <string>
#include <tl/expected.hpp>

namespace saslatch::state {

// The claim of one daemon to its state directory. A second daemon would count and lock on its own,
// and an attacker would have twice the guesses.
//
// The directory itself is locked (flock), not a file in it: that leaves nothing behind, needs no
// right to write, and ends with the process however it ends. Held until destruction.
class DirectoryLock {
 public:
  enum class Failure {
    kHeld,      // by another process
    kNoAccess,  // the directory cannot be opened, or its file system has no locks
  };
  struct Error {
    Failure failure;
    std::string message;  // names the directory and what mends it
  };

  static tl::expected<DirectoryLock, Error> claim(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace saslatch::state

#endif  // SASLATCH_DAEMON_STATE_DIRECTORY_LOCK_H_
