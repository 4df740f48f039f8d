#ifndef SASLATCH_DAEMON_STATE_DIRECTORY_LOCK_H_
#define SASLATCH_DAEMON_STATE_DIRECTORY_LOCK_H_

#include <string>

namespace saslatch::state {

// One daemon for each state directory: two would each count half of an attack and write over each
// other's locks. Held from acquire() until destroyed; the kernel drops it with the process, however
// that ends. Not thread-safe.
class DirectoryLock {
 public:
  enum class Outcome {
    kHeld,
    kTaken,       // another process has it: exit with 75 and say so
    kImpossible,  // the directory cannot be opened at all: go on, in memory only
  };

  DirectoryLock() = default;
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  // Locks DIRECTORY/lock, which is made with mode 0600; where nothing can be written the directory
  // itself. Not again after kHeld.
  [[nodiscard]] Outcome acquire(const std::string& directory);
  // What a person is told after kTaken or kImpossible.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  int descriptor_ = -1;
  std::string reason_;
};

}  // namespace saslatch::state

#endif  // SASLATCH_DAEMON_STATE_DIRECTORY_LOCK_H_
