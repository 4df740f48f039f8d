#include "daemon/passdb/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>

namespace saslatch::passdb {
namespace {

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileIdentity FileIdentity::of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

WriterWatch::WriterWatch() : queue_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

WriterWatch::~WriterWatch() {
  if (queue_ >= 0) close(queue_);
}

void WriterWatch::watch(const std::string& path) {
  if (queue_ < 0) return;
  const int watched = inotify_add_watch(queue_, path.c_str(), IN_MODIFY | IN_CLOSE_WRITE);
  if (watched == watched_) return;
  if (watched_ >= 0) inotify_rm_watch(queue_, watched_);
  watched_ = watched;
  written_ = false;
}

bool WriterWatch::is_being_written() {
  alignas(inotify_event) char events[4096];
  for (ssize_t got = 0; queue_ >= 0 && (got = read(queue_, events, sizeof events)) > 0;) {
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, events + at, sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
      if (event.wd != watched_) continue;
      if ((event.mask & IN_MODIFY) != 0) written_ = true;
      if ((event.mask & (IN_CLOSE_WRITE | IN_IGNORED)) != 0) written_ = false;
      if ((event.mask & IN_IGNORED) != 0) watched_ = -1;
    }
  }
  return written_;
}

}  // namespace saslatch::passdb
