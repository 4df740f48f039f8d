#ifndef SASLATCH_DAEMON_AUDIT_RELOADABLE_H_
#define SASLATCH_DAEMON_AUDIT_RELOADABLE_H_

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "daemon/audit/audit.h"
#include "daemon/audit/log.h"

namespace saslatch {

// The log and the audit log that a reload may replace while everybody writes to them. Thread-safe.

class ReloadableLog final : public Log {
 public:
  explicit ReloadableLog(std::unique_ptr<Log> log) : log_(std::move(log)) {}

  void write(LogLevel level, std::string_view name, std::string_view text,
             std::initializer_list<LogField> fields) override {
    const std::shared_lock lock(mutex_);
    log_->write(level, name, text, fields);
  }

  void replace(std::unique_ptr<Log> log) {
    const std::unique_lock lock(mutex_);
    log_ = std::move(log);
  }

 private:
  std::shared_mutex mutex_;
  std::unique_ptr<Log> log_;
};

template <typename Sink>
class ReloadableSink final : public AuditSink {
 public:
  void write(const Event& event) override {
    const std::shared_lock lock(mutex_);
    if (sink_) sink_->write(event);
  }

  // nullptr: events go nowhere from now on. Returns when the old sink has written what it had
  // queued; meanwhile nobody else waits for it, though its disk may hang.
  void replace(std::unique_ptr<Sink> sink) {
    {
      const std::unique_lock lock(mutex_);
      sink_.swap(sink);
    }
    sink.reset();
  }

  // Calls `use` with the sink if there is one; nobody replaces it meanwhile.
  template <typename Use>
  void with(Use use) {
    const std::shared_lock lock(mutex_);
    if (sink_) use(*sink_);
  }
  template <typename Use>
  void with(Use use) const {
    const std::shared_lock lock(mutex_);
    if (sink_) use(std::as_const(*sink_));
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_RELOADABLE_H_
