#ifndef SASLATCH_DAEMON_AUDIT_FILE_SINK_H_
#define SASLATCH_DAEMON_AUDIT_FILE_SINK_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "daemon/audit/audit.h"
#include "daemon/audit/log.h"
#include "daemon/audit/once_per_minute.h"

namespace saslatch {

// An append-only file that may be unwritable for a while. No thread and no clock of its own.
class AuditFile {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Neither opens nor creates yet.
  AuditFile(std::string path, Log& log);
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Writes as much of `lines` as goes and returns how many bytes went; less than all means that the
  // file cannot be written now, which is logged once a minute (`audit-unwritable`). The file is
  // opened when it is not, with O_APPEND and mode 0640 less the umask, at most once a second.
  size_t append(std::string_view lines, Time now);

  // The next append() opens the path anew, at once: after logrotate has moved the file away.
  void reopen();

  // Why the last append() did not take all; empty if it did.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  bool open(Time now);
  void report(std::string_view what, int error, Time now);

  std::string path_;
  Log& log_;
  int fd_ = -1;
  std::string trouble_;  // until the next success, which is logged
  Time next_open_{};     // not before this
  OncePerMinute complaints_;
};

// The audit log as a file with a thread of its own. write() formats the line and puts it on a
// queue; the thread takes all that is queued, writes it in one go, and so on as long as there is
// something: a lone event is in the file at once, a flood costs one write for many. A full queue
// (a disk that hangs, a file that cannot be written) drops events instead of delaying a login; how
// many is told by a `daemon` event `audit-dropped` and a log line as soon as the file takes lines
// again. An unwritable path is no reason to stop: it is tried again every second.
class FileAuditSink final : public AuditSink {
 public:
  // Starts the thread. Make it after privileges are dropped, so that the file belongs to the user
  // who must reopen it. `log` outlives the sink.
  FileAuditSink(std::string path, Log& log);
  // Writes what is queued, once, and stops.
  ~FileAuditSink() override;

  void write(const Event& event) override;

  // For SIGHUP and logrotate; returns at once.
  void reopen();

  // Waits until all that was written before is in the file, or was tried. For tests and for the
  // last words of a shutdown.
  void flush();

  // Why the file cannot be written now; empty if it can.
  [[nodiscard]] std::string trouble() const;

  // Events dropped since this was last called, for the metrics.
  [[nodiscard]] uint64_t take_dropped() { return untaken_.exchange(0, std::memory_order_relaxed); }

  // Events dropped since the start.
  [[nodiscard]] uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  // Holds 10 s of a flood of 2,000 events a second and stays small beside max-subjects.
  static constexpr size_t kMaxQueuedBytes = 8 << 20;

 private:
  void enqueue(const Event& event);
  void run();
  void put_group(std::unique_lock<std::mutex>& lock);
  void append(AuditFile::Time now);
  void report_drops(AuditFile::Time now);
  void count_dropped();

  // The thread's alone.
  Log& log_;
  AuditFile file_;
  std::string group_;               // empty between writes; keeps its memory, as the others do
  std::string unwritten_;           // what a group write left over
  bool mid_line_ = false;           // ... and it begins inside a line
  uint64_t reported_ = 0;           // drops told in the file so far
  uint64_t unreported_in_log_ = 0;  // ... and those the log still has to hear of
  OncePerMinute drops_;

  std::atomic<uint64_t> dropped_{0};
  std::atomic<uint64_t> untaken_{0};      // of them
  std::atomic<size_t> waiting_bytes_{0};  // of unwritten_ and the group being written

  mutable std::mutex mutex_;
  std::condition_variable work_, idle_;
  std::string trouble_;
  std::string queue_;
  uint64_t rounds_asked_ = 0, rounds_done_ = 0;  // of flush()
  bool reopen_ = false, stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_FILE_SINK_H_
