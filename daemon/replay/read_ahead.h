#ifndef SASLATCH_DAEMON_REPLAY_READ_AHEAD_H_
#define SASLATCH_DAEMON_REPLAY_READ_AHEAD_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/replay/source.h"

namespace saslatch::replay {

// Reads a FactStream on a thread of its own, a bounded way ahead: reading a line costs as much as
// judging it. While it lives, nobody else touches the stream, but for the paths of its reports().
class ReadAhead {
 public:
  explicit ReadAhead(FactStream& stream);
  // Ends the thread, whether all is read or not.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // As FactStream::next(); throws what that has thrown.
  bool next(Located& located);
  // Of the stream, when the fact last given was read or soon after.
  [[nodiscard]] uint64_t bytes_read() const { return batch_.bytes; }

 private:
  struct Batch {
    std::vector<Located> facts;
    uint64_t bytes = 0;
  };
  static constexpr size_t kBatch = 512;
  static constexpr size_t kBatches = 16;

  void run();
  bool take();

  FactStream& stream_;
  Batch batch_;  // being given away, from at_
  size_t at_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> batches_;
  bool at_end_ = false;
  bool stop_ = false;
  std::exception_ptr trouble_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_READ_AHEAD_H_
