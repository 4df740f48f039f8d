#include "daemon/net/workers.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <utility>

namespace saslatch::net {
namespace {

// Signals belong to the main thread's event loop.
std::thread thread_without_signals(std::function<void()> body) {
  sigset_t all;
  sigset_t previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  return thread;
}

// Linux keeps a nice value for each thread, against POSIX (setpriority(2), BUGS). A sandbox that
// does not allow the call leaves the thread as it was, which costs others latency and nothing else.
void step_back(int steps) {
  const auto self = static_cast<id_t>(gettid());
  errno = 0;
  const int present = getpriority(PRIO_PROCESS, self);
  if (errno == 0) setpriority(PRIO_PROCESS, self, present + steps);
}

}  // namespace

WorkerPool::WorkerPool(size_t threads, Habits habits, std::chrono::milliseconds max_hold,
                       const TimeSource& clock, const Figures& figures)
    : thread_count_(std::max<size_t>(threads, 1)),
      habits_(std::move(habits)),
      clock_(clock),
      figures_(figures),
      queue_(thread_count_, max_hold) {}

void WorkerPool::start() {
  for (size_t i = 0; i < thread_count_; ++i) {
    threads_.push_back(thread_without_signals([this] {
      if (habits_.nicer != 0) step_back(habits_.nicer);
      habits_.begin();
      work();
    }));
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::submit(std::unique_ptr<QueuedCheck> check) {
  std::unique_ptr<QueuedCheck> displaced;
  check->set_submitted(clock_.read().mono);
  {
    const std::lock_guard lock(mutex_);
    displaced = queue_.push(std::move(check));
    figures_.waiting.set(static_cast<int64_t>(queue_.size()));
  }
  wake_.notify_one();
  if (displaced) overload(*displaced);
}

void WorkerPool::set_max_hold(std::chrono::milliseconds max_hold) {
  const std::lock_guard lock(mutex_);
  queue_.set_max_hold(max_hold);
}

void WorkerPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto is_called = [this] { return stopping_ || queue_.size() > 0; };
    if (!wake_.wait_for(lock, habits_.idle_after, is_called)) {
      lock.unlock();
      habits_.idle();
      lock.lock();
      wake_.wait(lock, is_called);
    }
    std::unique_ptr<QueuedCheck> check = queue_.pop();
    if (!check) return;  // stopping, and nothing waits
    figures_.waiting.set(static_cast<int64_t>(queue_.size()));
    lock.unlock();

    const Mono begun = clock_.read().mono;
    const bool in_time = check->answer_by() > begun;
    figures_.wait.observe(begun - check->submitted());
    if (in_time) {
      figures_.running.add(1);
      run(*check);
      figures_.running.add(-1);
    } else {
      overload(*check);
    }
    check.reset();
    const auto took = clock_.read().mono - begun;
    if (in_time) figures_.duration.observe(took);

    lock.lock();
    if (in_time) queue_.note_duration(took);
  }
}

// A check that lacks memory is answered as one that finds no place.
void WorkerPool::run(QueuedCheck& check) {
  try {
    check.run();
    return;
  } catch (const std::bad_alloc&) {
    figures_.out_of_memory.add();
  }
  overload(check);
}

void WorkerPool::overload(QueuedCheck& check) {
  try {
    check.overload();
  } catch (const std::bad_alloc&) {
    figures_.out_of_memory.add();  // its session answers when max-hold is over
  }
}

void Housekeeping::every(std::chrono::milliseconds period, std::function<void(Now)> task) {
  tasks_.push_back({period, std::move(task), clock_.read().mono + period});
}

void Housekeeping::start() {
  if (!tasks_.empty()) thread_ = thread_without_signals([this] { work(); });
}

void Housekeeping::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Housekeeping::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = std::min_element(tasks_.begin(), tasks_.end(),
                                       [](const Task& a, const Task& b) { return a.due < b.due; });
    if (wake_.wait_until(lock, next->due, [this] { return stopping_; })) return;
    lock.unlock();
    const Now now = clock_.read();
    try {
      next->run(now);
    } catch (const std::bad_alloc&) {
      out_of_memory_.add();
    }
    next->due = now.mono + next->period;
    lock.lock();
  }
}

}  // namespace saslatch::net
