#ifndef SASLATCH_DAEMON_PASSDB_FILE_WATCH_H_
#define SASLATCH_DAEMON_PASSDB_FILE_WATCH_H_

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <string>

namespace saslatch::passdb {

// What tells one state of a file from another. The change time is in it because no program can set
// it: a copy that keeps the modification time still differs.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;

  static FileIdentity of(const struct stat& status);
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

// Knows whether somebody has written to a file and not closed it yet (inotify(7)). Sees nothing
// where the kernel gives no watch or the file is written from another host: then it says no, and
// the caller has only the times of the file. Not thread-safe.
class WriterWatch {
 public:
  WriterWatch();
  ~WriterWatch();
  WriterWatch(const WriterWatch&) = delete;
  WriterWatch& operator=(const WriterWatch&) = delete;

  // Watches the file that `path` names now. Cheap if it is the one watched already.
  void watch(const std::string& path);

  // Whether a write was seen and no close after it. Never waits.
  [[nodiscard]] bool is_being_written();

 private:
  int queue_;
  int watched_ = -1;
  bool written_ = false;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_FILE_WATCH_H_
