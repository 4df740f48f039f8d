#ifndef SASLATCH_DAEMON_SESSION_CHECK_QUEUE_H_
#define SASLATCH_DAEMON_SESSION_CHECK_QUEUE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "daemon/session/now.h"

namespace saslatch {

// One credential waiting for a worker. Exactly one of run() and overload() is called, once; where
// run() ends for want of memory, overload() after it.
class QueuedCheck {
 public:
  QueuedCheck(bool familiar, uint64_t connection, Mono answer_by)
      : familiar_(familiar), connection_(connection), answer_by_(answer_by) {}
  virtual ~QueuedCheck() = default;

  virtual void run() = 0;
  virtual void overload() = 0;

  [[nodiscard]] bool is_familiar() const { return familiar_; }
  [[nodiscard]] uint64_t connection() const { return connection_; }
  [[nodiscard]] Mono answer_by() const { return answer_by_; }
  // When it was submitted; set by whoever takes it in.
  [[nodiscard]] Mono submitted() const { return submitted_; }
  void set_submitted(Mono at) { submitted_ = at; }

 private:
  bool familiar_;        // a known (user, network) pair: served first, displaced last
  uint64_t connection_;  // whose share of the queue it takes
  Mono answer_by_;       // later than this the client no longer waits
  Mono submitted_{};
};

// The line in front of the password hashes (DESIGN 6.14). As many checks wait as can be answered
// inside max-hold at the pace of late; more are turned away at once rather than kept past the mail
// server's patience. Familiar pairs go first and may take the place of the newest stranger; no
// connection holds more than half of the places. Pure; not thread-safe: its owner locks.
class CheckQueue {
 public:
  // Places never fall below this many a worker, so that one slow check does not close the door, nor
  // rise above kMostPlaces, which bounds the memory.
  static constexpr size_t kLeastPlacesPerWorker = 4;
  static constexpr size_t kMostPlaces = 20000;

  CheckQueue(size_t workers, std::chrono::milliseconds max_hold);

  // Takes `check` in. Returns the check that has to go instead (the given one or a displaced
  // stranger); the caller calls its overload(). nullptr: nobody has to go. Throws std::bad_alloc,
  // with `check` gone and nobody else.
  [[nodiscard]] std::unique_ptr<QueuedCheck> push(std::unique_ptr<QueuedCheck> check);

  // The next check, or nullptr. The caller runs it, or calls overload() where answer_by() is past.
  [[nodiscard]] std::unique_ptr<QueuedCheck> pop();

  // A worker needed this long for one check; moves the estimate of the pace.
  void note_duration(std::chrono::nanoseconds took);

  void set_max_hold(std::chrono::milliseconds max_hold) { max_hold_ = max_hold; }

  [[nodiscard]] size_t size() const { return familiar_.size() + strangers_.size(); }
  [[nodiscard]] size_t places() const;

 private:
  using Line = std::deque<std::unique_ptr<QueuedCheck>>;

  std::unique_ptr<QueuedCheck> leave(std::unique_ptr<QueuedCheck> check);

  size_t workers_;
  std::chrono::milliseconds max_hold_;
  std::chrono::nanoseconds pace_;  // moving average of one check
  Line familiar_;
  Line strangers_;
  std::map<uint64_t, size_t> waiting_;  // by connection
};

// Who runs checks off the event loops. Thread-safe.
class Workers {
 public:
  virtual ~Workers() = default;
  // Runs `check` on a worker, or calls overload(): here and now when there is no place for it.
  // Throws std::bad_alloc, and neither is called then.
  virtual void submit(std::unique_ptr<QueuedCheck> check) = 0;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_CHECK_QUEUE_H_
