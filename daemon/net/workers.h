#ifndef SASLATCH_DAEMON_NET_WORKERS_H_
#define SASLATCH_DAEMON_NET_WORKERS_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/metrics/metrics.h"
#include "daemon/session/check_queue.h"
#include "daemon/session/now.h"

namespace saslatch::net {

// How much nicer than the daemon (see nice(2)) a thread that hashes is: an event loop then runs as
// soon as it has something to do, not when a hash's turn is over, which on a processor that is full
// of hashes is milliseconds later. Beside event loops that are never idle, seven steps leave hashes
// a quarter of what they get alone, ten an eighth (docs/PERFORMANCE.md).
inline constexpr int kNicerForHashes = 7;

// Threads that hash passwords, or that wait for passdbs; in front of them one CheckQueue.
class WorkerPool final : public Workers {
 public:
  // What its threads do beside checks.
  struct Habits {
    int nicer = 0;  // steps of nice(2) below the other threads, where the sandbox allows it
    std::function<void()> begin = [] {};  // before the first check
    std::function<void()> idle = [] {};   // when none has come for idle_after
    std::chrono::milliseconds idle_after = std::chrono::hours(1);
  };

  // Where this pool's work shows.
  struct Figures {
    Gauge& waiting;
    Gauge& running;
    Histogram& wait;
    Histogram& duration;
    Counter& out_of_memory;
  };

  // All references outlive this object. What is submitted before start() waits.
  WorkerPool(size_t threads, Habits habits, std::chrono::milliseconds max_hold,
             const TimeSource& clock, const Figures& figures);
  // Calls stop().
  ~WorkerPool() override;

  // Once; after privileges are dropped, since a thread keeps some of its own.
  void start();

  void submit(std::unique_ptr<QueuedCheck> check) override;
  void set_max_hold(std::chrono::milliseconds max_hold);

  // Runs what waits to its end, then ends the threads. Nothing may be submitted afterwards.
  void stop();

 private:
  void work();
  void run(QueuedCheck& check);
  void overload(QueuedCheck& check);

  const size_t thread_count_;
  const Habits habits_;
  const TimeSource& clock_;
  const Figures figures_;
  std::mutex mutex_;
  std::condition_variable wake_;
  CheckQueue queue_;  // guarded by mutex_
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Small recurring work that must not wait behind password hashes: looking whether a passwd-file has
// changed, saving counters. One thread; each task runs every `period`, never twice at once.
class Housekeeping {
 public:
  // Both outlive this object.
  Housekeeping(const TimeSource& clock, Counter& out_of_memory)
      : clock_(clock), out_of_memory_(out_of_memory) {}
  ~Housekeeping() { stop(); }

  // Before start() only. A task that lacks memory runs again when it is due again.
  void every(std::chrono::milliseconds period, std::function<void(Now)> task);
  void start();
  // Waits for the task that runs, then ends.
  void stop();

 private:
  struct Task {
    std::chrono::milliseconds period;
    std::function<void(Now)> run;
    Mono due;
  };
  void work();

  const TimeSource& clock_;
  Counter& out_of_memory_;
  std::vector<Task> tasks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_WORKERS_H_
