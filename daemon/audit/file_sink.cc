#include "daemon/audit/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

namespace saslatch {
namespace {

// Readable for the group, as Debian's adm reads /var/log.
constexpr mode_t kMode = 0640;
constexpr std::chrono::seconds kRetry{1};
// What comes within it is written together: a thread that is woken for each of many events costs
// more than they do.
constexpr std::chrono::milliseconds kGather{2};
// Of a buffer, between writes: a thousand events.
constexpr size_t kKeptBytes = size_t{256} << 10;

std::string why(int error) { return std::generic_category().message(error); }

}  // namespace

AuditFile::AuditFile(std::string path, Log& log) : path_(std::move(path)), log_(log) {}

AuditFile::~AuditFile() {
  if (fd_ >= 0) ::close(fd_);
}

void AuditFile::reopen() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  next_open_ = {};
}

void AuditFile::report(std::string_view what, int error, Time now) {
  trouble_ = why(error);
  if (!complaints_.due(now)) return;
  log_.error("audit-unwritable", what, {{"path", path_}, {"error", trouble_}});
}

bool AuditFile::open(Time now) {
  if (fd_ >= 0) return true;
  if (now < next_open_) return false;
  next_open_ = now + kRetry;
  // O_NONBLOCK: a FIFO without a reader must fail instead of hanging the thread.
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  fd_ = ::open(path_.c_str(), flags, kMode);
  if (fd_ < 0) report("the audit log cannot be opened; authentication goes on", errno, now);
  return fd_ >= 0;
}

size_t AuditFile::append(std::string_view lines, Time now) {
  if (!open(now)) return 0;
  size_t written = 0;
  while (written < lines.size()) {
    const ssize_t n = ::write(fd_, lines.data() + written, lines.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      report("the audit log cannot be written; authentication goes on", n < 0 ? errno : EIO, now);
      return written;
    }
    written += static_cast<size_t>(n);
  }
  if (!trouble_.empty()) {
    trouble_.clear();
    complaints_.reset();
    log_.info("audit-writable", "the audit log takes events again", {{"path", path_}});
  }
  return written;
}

FileAuditSink::FileAuditSink(std::string path, Log& log)
    : log_(log), file_(std::move(path), log), thread_([this] { run(); }) {}

FileAuditSink::~FileAuditSink() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void FileAuditSink::write(const Event& event) {
  try {
    enqueue(event);
  } catch (const std::bad_alloc&) {
    count_dropped();  // the attempt is decided: it is answered all the same
  }
}

void FileAuditSink::enqueue(const Event& event) {
  // Formatted by the caller, outside the lock; the capacity stays with the thread.
  thread_local std::string line;
  line.clear();
  append_json_line(event, line);
  bool was_idle = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() + waiting_bytes_.load(std::memory_order_relaxed) + line.size() >
        kMaxQueuedBytes) {
      return count_dropped();
    }
    was_idle = queue_.empty();
    queue_ += line;
  }
  if (was_idle) work_.notify_one();
}

void FileAuditSink::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  work_.notify_one();
}

void FileAuditSink::flush() {
  std::unique_lock lock(mutex_);
  const uint64_t round = ++rounds_asked_;
  work_.notify_one();
  idle_.wait(lock, [&] { return rounds_done_ >= round; });
}

std::string FileAuditSink::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void FileAuditSink::count_dropped() {
  dropped_.fetch_add(1, std::memory_order_relaxed);
  untaken_.fetch_add(1, std::memory_order_relaxed);
}

void FileAuditSink::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto urgent = [&] { return stop_ || reopen_ || rounds_asked_ != rounds_done_; };
    if (unwritten_.empty()) {
      work_.wait(lock, [&] { return urgent() || !queue_.empty(); });
      work_.wait_for(lock, kGather, urgent);
    } else {
      // The disk says no: new events wait in the queue instead of being tried one by one.
      work_.wait_for(lock, kRetry, urgent);
    }
    try {
      put_group(lock);
    } catch (const std::bad_alloc&) {
      if (!lock.owns_lock()) lock.lock();  // what was taken is still there for the next round
    }
    if (stop_ && queue_.empty()) return;
  }
}

// Writes what is left over and all that is queued, the lock released meanwhile.
void FileAuditSink::put_group(std::unique_lock<std::mutex>& lock) {
  const uint64_t round = rounds_asked_;
  const bool reopen = std::exchange(reopen_, false);
  group_.swap(queue_);
  waiting_bytes_.store(unwritten_.size() + group_.size(), std::memory_order_relaxed);
  lock.unlock();

  if (reopen) {
    file_.reopen();
    if (mid_line_) {  // its first half is in the other file
      unwritten_.erase(0, unwritten_.find('\n') + 1);
      count_dropped();
      mid_line_ = false;
    }
  }
  if (unwritten_.empty()) {
    unwritten_.swap(group_);
  } else {
    unwritten_ += group_;
  }
  group_.clear();
  if (group_.capacity() > kKeptBytes) group_.shrink_to_fit();  // a flood is over
  const auto now = std::chrono::steady_clock::now();
  append(now);
  if (unwritten_.empty()) report_drops(now);

  lock.lock();
  waiting_bytes_.store(unwritten_.size(), std::memory_order_relaxed);
  trouble_ = file_.trouble();
  rounds_done_ = round;
  idle_.notify_all();
}

void FileAuditSink::append(AuditFile::Time now) {
  if (unwritten_.empty()) return;
  const size_t written = file_.append(unwritten_, now);
  if (written > 0) mid_line_ = unwritten_[written - 1] != '\n';
  unwritten_.erase(0, written);
}

void FileAuditSink::report_drops(AuditFile::Time now) {
  const uint64_t dropped = dropped_.load(std::memory_order_relaxed);
  if (dropped == reported_) return;
  const std::string count = std::to_string(dropped - reported_);
  unwritten_ = to_json_line(
      DaemonEvent{std::chrono::system_clock::now(), "audit-dropped", {{"events", count}}});
  append(now);
  unreported_in_log_ += dropped - reported_;
  reported_ = dropped;
  if (!drops_.due(now)) return;
  log_.warning("audit-dropped", "events were lost because the audit log could not take them",
               {{"events", std::to_string(std::exchange(unreported_in_log_, 0))}});
}

}  // namespace saslatch
