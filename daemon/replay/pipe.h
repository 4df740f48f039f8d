#ifndef SASLATCH_DAEMON_REPLAY_PIPE_H_
#define SASLATCH_DAEMON_REPLAY_PIPE_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace saslatch::replay {

// Items in order from one thread to another, a bounded way ahead, in batches so that the lock is
// rarely taken. Items that were read are filled again, so that their strings keep their room and
// nothing is freed by another thread than the one that made it.
template <typename Item>
class Pipe {
 public:
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  // The writer's. An item to be filled, which may have been used before; it is sent by the next
  // call or by finish(). nullptr: the reader has stopped, and wants no more.
  Item* fill() {
    if (filled_ == kBatch && !send()) return nullptr;
    if (filling_.empty() && !take_used()) return nullptr;
    return &filling_[filled_++];
  }
  // Takes back the last item that fill() gave.
  void unfill() { --filled_; }
  // There is no more, or nothing but `trouble`, which the reader throws.
  void finish(std::exception_ptr trouble = nullptr) {
    if (filled_ > 0) send();
    const std::lock_guard lock(mutex_);
    at_end_ = true;
    trouble_ = std::move(trouble);
    changed_.notify_all();
  }

  // The reader's. The next item, good until the next call; nullptr: there is none.
  Item* next() {
    if (at_ == reading_.size() && !receive()) return nullptr;
    return &reading_[at_++];
  }

  // Anybody's: neither side waits any longer.
  void stop() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }

 private:
  using Batch = std::vector<Item>;
  static constexpr size_t kBatch = 1024;
  static constexpr size_t kBatches = 8;

  bool take_used() {
    const std::lock_guard lock(mutex_);
    if (stop_) return false;
    if (!used_.empty()) {
      filling_ = std::move(used_.back());
      used_.pop_back();
    }
    filling_.resize(kBatch);
    return true;
  }
  bool send() {
    filling_.resize(filled_);
    filled_ = 0;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || full_.size() < kBatches; });
    if (stop_) return false;
    full_.push_back(std::move(filling_));
    filling_.clear();
    lock.unlock();
    changed_.notify_all();
    return true;
  }
  bool receive() {
    std::unique_lock lock(mutex_);
    if (!reading_.empty()) used_.push_back(std::move(reading_));
    reading_.clear();
    at_ = 0;
    changed_.wait(lock, [this] { return stop_ || at_end_ || !full_.empty(); });
    if (full_.empty() || stop_) {
      if (trouble_) std::rethrow_exception(trouble_);
      return false;
    }
    reading_ = std::move(full_.front());
    full_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return true;
  }

  Batch filling_;  // the writer's
  size_t filled_ = 0;
  Batch reading_;  // the reader's, from at_
  size_t at_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> full_;
  std::vector<Batch> used_;
  bool at_end_ = false;
  bool stop_ = false;
  std::exception_ptr trouble_;
};

// A thread that ends with the object: `stop` makes it end early.
class Worker {
 public:
  Worker(std::function<void()> work, std::function<void()> stop)
      : stop_(std::move(stop)), thread_(std::move(work)) {}
  ~Worker() {
    stop_();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 private:
  std::function<void()> stop_;
  std::thread thread_;  // last
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_PIPE_H_
