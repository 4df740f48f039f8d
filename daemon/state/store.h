#ifndef SASLATCH_DAEMON_STATE_STORE_H_
#define SASLATCH_DAEMON_STATE_STORE_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/policy/engine.h"
#include "daemon/state/state_file.h"

namespace saslatch::state {

// Counters are saved this often; changes of locks and familiar networks at once.
constexpr std::chrono::milliseconds kSaveEvery(500);

// Where the policy's state outlives the process. Locks, growth and familiar networks are written
// before the answer that depends on them, as many in one transaction as have come meanwhile;
// counters at least every second. Trouble with the file never stops a login: the state then is in
// memory, is written whole when the file can be written again, and is complained of once a minute.
// A damaged file is moved aside to state.db.damaged-N, and a new one holds what is in memory;
// damage that was done beneath the running process shows at stop() at the latest.
//
// The order of life: Store(), an Engine with this as its journal, open(), Engine::adopt_key(key()),
// restore(), start(), then attempts; stop() before the engine goes. Thread-safe but for open(),
// restore(), start() and stop(), which one thread calls.
class Store final : public policy::Journal {
 public:
  using Clock = std::function<policy::Time()>;  // thread-safe, the engine's

  // `log` outlives the store.
  Store(Log& log, Clock clock);
  ~Store() override;

  // Opens DIRECTORY/state.db, and makes it if it is not there. Always succeeds; health() tells how.
  void open(const std::string& directory, Random& random);

  // Instead of the stored key: another one, that hosts share. What is stored under a different one
  // means nothing any more: it is not restored, and goes when the file is written first. After
  // open().
  void use_key(const policy::HashKey& key);
  // What turns subjects into keys: the stored one, or a new one.
  [[nodiscard]] const policy::HashKey& key() const { return key_; }

  // Gives the engine what is stored and still holds.
  void restore(policy::Engine& engine);
  // Begins to write. `engine` outlives stop().
  void start(policy::Engine& engine);
  // Writes the rest and ends the thread; what is appended later is only in memory.
  void stop();

  uint64_t append(const policy::Change& change) override;
  uint64_t append_unsaid() override;
  // The number of the latest change; 0 before the first.
  [[nodiscard]] uint64_t appended() const;

  // Whether change `number` and all before it are on disk, or could not be written. No lock.
  [[nodiscard]] bool is_flushed(uint64_t number) const { return flushed_.load() >= number; }
  // Calls `then` once: when change `number` and all before it are on disk, or could not be written
  // and health() says so. Perhaps before it returns, else on the store's thread; it only posts.
  void when_flushed(uint64_t number, std::function<void()> then);
  // The same for a thread that may block.
  void wait_flushed(uint64_t number);

  struct Health {
    bool is_writable = true;
    std::string reason;  // why not
    policy::Time since;  // when it began
    size_t unsaved = 0;  // changes that a kill -9 would lose now
  };
  [[nodiscard]] Health health() const;

 private:
  struct Waiting {
    uint64_t number = 0;
    std::function<void()> then;
  };

  // These seven are the thread's, or nobody else's before start().
  bool open_file();
  bool move_aside(const std::string& reason);
  void complain(const std::string& reason);
  void save(bool with_counters);
  void save_if_it_can(bool with_counters);
  std::optional<StateFile::Failure> write();
  void close_file();

  void run();
  // What was appended since, onto changes_; `is_short`: not all of it could be kept.
  void take(std::vector<policy::Change> queue, bool is_short);
  void finish(uint64_t number);
  std::vector<Waiting> take_waiting(uint64_t number);

  std::string path_;
  Log& log_;
  const Clock clock_;
  policy::HashKey key_{};

  // The thread's, as the members above.
  std::unique_ptr<StateFile> file_;    // null: not writable at the moment
  std::unique_ptr<StateFile> reader_;  // until restore(), where nothing can be written
  policy::Engine* engine_ = nullptr;
  bool is_whole_ = false;    // the file holds all that the engine does, but for the next two
  bool is_foreign_ = false;  // the file is of another key
  std::vector<policy::Change> changes_;
  std::unordered_map<uint64_t, std::string> counters_;
  bool is_failing_ = false;
  std::optional<policy::Time> complained_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<policy::Change> queue_;
  bool is_short_ = false;  // there was no memory for some change
  uint64_t appended_ = 0;
  std::atomic<uint64_t> flushed_{0};  // written under mutex_
  std::vector<Waiting> waiting_;
  Health health_;
  size_t held_back_ = 0;  // changes_, for health()
  bool is_running_ = false;
  bool stops_ = false;

  std::thread thread_;
};

}  // namespace saslatch::state

#endif  // SASLATCH_DAEMON_STATE_STORE_H_
