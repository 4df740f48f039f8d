#include "daemon/replay/read_ahead.h"

#include <utility>

namespace saslatch::replay {

ReadAhead::ReadAhead(FactStream& stream) : stream_(stream), thread_([this] { run(); }) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadAhead::run() {
  bool more = true;
  std::exception_ptr trouble;
  while (more) {
    Batch batch;
    try {
      batch.facts.reserve(kBatch);
      Located located;
      while (batch.facts.size() < kBatch && (more = stream_.next(located)))
        batch.facts.push_back(std::move(located));
      batch.bytes = stream_.bytes_read();
    } catch (...) {
      trouble = std::current_exception();
      more = false;
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || batches_.size() < kBatches; });
    if (stop_) return;
    batches_.push_back(std::move(batch));
    at_end_ = !more;
    trouble_ = trouble;
    lock.unlock();
    changed_.notify_all();
  }
}

// The next batch. False: there is none.
bool ReadAhead::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return at_end_ || !batches_.empty(); });
  if (batches_.empty()) {
    if (trouble_) std::rethrow_exception(trouble_);
    return false;
  }
  batch_ = std::move(batches_.front());
  batches_.pop_front();
  at_ = 0;
  lock.unlock();
  changed_.notify_all();
  return true;
}

bool ReadAhead::next(Located& located) {
  while (at_ == batch_.facts.size())
    if (!take()) return false;
  located = std::move(batch_.facts[at_++]);
  return true;
}

}  // namespace saslatch::replay
