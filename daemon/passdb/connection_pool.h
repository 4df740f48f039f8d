#ifndef SASLATCH_DAEMON_PASSDB_CONNECTION_POOL_H_
#define SASLATCH_DAEMON_PASSDB_CONNECTION_POOL_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/passdb/backoff.h"
#include "daemon/passdb/waiter.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"

namespace saslatch::passdb {

struct PoolSettings {
  size_t connections = 4;              // and as many threads
  std::chrono::milliseconds answer{};  // from submit() to the answer: queue, connect and query
};

// As many as can be answered in time by a server that takes some ten milliseconds.
inline constexpr size_t kQueuedPerConnection = 64;

// How a job ended on its connection.
struct JobEnd {
  enum class Kind {
    kAnswered,  // the connection is good
    kTimedOut,  // not answered in time: the connection is dropped and the job fails
    kLost,      // the connection was lost before any answer, and asking again does no harm
  };
  Kind kind = Kind::kAnswered;
  std::string reason = {};  // of the other two, for a log
};

// A bounded pool of connections to one server, for client libraries that wait: each connection has
// a thread of its own, so that a slow server keeps nobody waiting but those who ask it. The first
// connects at once, the others when there is work, and rests close again.
//
//  - Each job is answered, or failed with a reason, by submit() + `answer`, as long as open() and
//    run() keep to the deadline they are given.
//  - More than kQueuedPerConnection waiting jobs a connection: the newest fails at once.
//  - After a connect that failed, jobs fail at once until the Backoff is over. The first thread
//    tries again by itself then, so that a server that is back is found without anybody's login.
//  - Where memory ends in a job, it is not answered: who submitted it has a clock. The thread goes
//    on. In a connect, that has failed.
//  - A connection that was idle may have been closed by a restarted server: the job then runs once
//    more, on a new one.
//
// Thread-safe. `Connection` has `bool is_alive()`: false if it is known to be closed, from a look
// that waits for nothing.
template <typename Connection>
class ConnectionPool {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Open = std::function<Result<std::unique_ptr<Connection>>(const Waiter&, Time deadline)>;

  struct Job {
    std::function<JobEnd(Connection&, const Waiter&, Time deadline)> run;
    std::function<void(std::string reason)> fail;  // instead of an answer
  };

  // Starts no thread. `random` outlives it.
  ConnectionPool(PoolSettings settings, Open open, std::function<Time()> clock, Random& random)
      : settings_(settings), open_(std::move(open)), waiter_(std::move(clock)), backoff_(random) {}
  ~ConnectionPool() { stop(); }
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // Begins to connect. Without it the first submit() does.
  void start() {
    const std::lock_guard lock(mutex_);
    start_thread();
  }

  // `job` ends on a thread of the pool, or fails before this returns. Throws std::bad_alloc, with
  // nothing taken.
  void submit(Job job) {
    std::string refusal;
    {
      const std::lock_guard lock(mutex_);
      const Time now = waiter_.now();
      if (stopping_) {
        refusal = "it is being stopped";
      } else if (!trouble_.empty() && open_now_ == 0 && !backoff_.is_over(now)) {
        refusal = trouble_;
      } else if (queue_.size() >= settings_.connections * kQueuedPerConnection) {
        refusal = "too many look-ups wait for it";
      } else {
        queue_.push_back({std::move(job), now + settings_.answer});
        if (idle_ < queue_.size()) start_thread();
        if (threads_.empty()) {
          job = std::move(queue_.back().job);
          queue_.pop_back();
          refusal = "no thread can be started for it";
        }
      }
    }
    if (!refusal.empty()) return job.fail(std::move(refusal));
    wake_.notify_all();  // only some may be able to serve it
  }

  // What was wrong with the last connection or answer; empty: nothing, or nothing is known yet.
  [[nodiscard]] std::string trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }

  // Fails what waits, and returns when nothing runs any more.
  void stop() {
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      threads = std::move(threads_);
      threads_.clear();
    }
    waiter_.stop();
    wake_.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

 private:
  struct Waiting {
    Job job;
    Time deadline;
  };
  using Lock = std::unique_lock<std::mutex>;

  void start_thread() {
    if (stopping_ || threads_.size() >= settings_.connections) return;
    const bool is_first = threads_.empty();
    try {
      threads_.emplace_back([this, is_first] { work(is_first); });
    } catch (const std::bad_alloc&) {
    } catch (const std::system_error&) {
      // Those that run serve what waits; without any it is refused.
    }
  }

  void work(bool is_first) {
    std::unique_ptr<Connection> connection;
    Lock lock(mutex_);
    while (!stopping_) {
      try {
        step(lock, connection, is_first);
      } catch (const std::bad_alloc&) {
        // Who asked is answered by his own clock.
        if (!lock.owns_lock()) lock.lock();
        drop(connection);
      }
    }
    drop(connection);
    while (!queue_.empty()) {
      Waiting next = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      next.job.fail("it is being stopped");
      lock.lock();
    }
  }

  void step(Lock& lock, std::unique_ptr<Connection>& connection, bool is_first) {
    if (!queue_.empty() && may_serve(connection)) {
      Waiting next = std::move(queue_.front());
      queue_.pop_front();
      serve(lock, connection, std::move(next));
    } else if (is_first && !connection && backoff_.is_over(waiter_.now())) {
      (void)connect(lock, connection, waiter_.now() + settings_.answer);
    } else {
      rest(lock, connection, is_first);
    }
  }

  // A thread that cannot connect now leaves the work to those that have a connection.
  [[nodiscard]] bool may_serve(const std::unique_ptr<Connection>& connection) const {
    return connection || open_now_ == 0 || backoff_.is_over(waiter_.now());
  }

  // Waits for work; who has no connection only until it should try again.
  void rest(Lock& lock, std::unique_ptr<Connection>& connection, bool is_first) {
    const auto is_wanted = [&] { return stopping_ || (!queue_.empty() && may_serve(connection)); };
    ++idle_;
    if (!connection && !backoff_.is_over(waiter_.now())) {
      wake_.wait_for(lock, backoff_.retry_at() - waiter_.now(), is_wanted);
    } else if (is_first || !connection) {
      wake_.wait(lock, is_wanted);
    } else if (!wake_.wait_for(lock, kIdle, is_wanted)) {
      drop(connection);
    }
    --idle_;
  }

  void serve(Lock& lock, std::unique_ptr<Connection>& connection, Waiting waiting) {
    if (connection && !connection->is_alive()) drop(connection);
    bool is_fresh = !connection;
    std::string reason = "no answer in time; it is slow, or has more to do than it can";
    while (waiter_.now() < waiting.deadline && !stopping_) {
      if (!connection) {
        const bool may_try = backoff_.is_over(waiter_.now());
        if (!may_try || !connect(lock, connection, waiting.deadline)) {
          if (open_now_ > 0) {  // others have one, a server may give no more
            queue_.push_front(std::move(waiting));
            wake_.notify_all();
            return;
          }
          reason = trouble_;
          break;
        }
      }
      lock.unlock();
      JobEnd end = waiting.job.run(*connection, waiter_, waiting.deadline);
      lock.lock();
      if (end.kind == JobEnd::Kind::kAnswered) {
        // It is well, whatever another connect of a while ago has met.
        trouble_.clear();
        backoff_.succeeded();
        return;
      }
      drop(connection);
      trouble_ = reason = std::move(end.reason);
      if (end.kind == JobEnd::Kind::kTimedOut || is_fresh) break;
      is_fresh = true;
    }
    lock.unlock();
    waiting.job.fail(std::move(reason));
    waiting = {};
    lock.lock();
  }

  bool connect(Lock& lock, std::unique_ptr<Connection>& connection, Time deadline) {
    lock.unlock();
    Result<std::unique_ptr<Connection>> opened = failure("");
    try {
      opened = open_(waiter_, deadline);
    } catch (const std::bad_alloc&) {
      opened = failure("out of memory");  // so short that it needs none
    }
    lock.lock();
    if (!opened) {
      trouble_ = opened.error().message;
      backoff_.failed(waiter_.now());
      return false;
    }
    connection = *std::move(opened);
    ++open_now_;
    trouble_.clear();
    backoff_.succeeded();
    return true;
  }

  void drop(std::unique_ptr<Connection>& connection) {
    if (!connection) return;
    connection.reset();
    --open_now_;
    wake_.notify_all();  // may_serve() of others
  }

  static constexpr std::chrono::minutes kIdle{5};

  const PoolSettings settings_;
  const Open open_;
  Waiter waiter_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  Backoff backoff_;
  std::string trouble_;
  size_t open_now_ = 0;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_CONNECTION_POOL_H_
