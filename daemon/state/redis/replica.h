#ifndef SASLATCH_DAEMON_STATE_REDIS_REPLICA_H_
#define SASLATCH_DAEMON_STATE_REDIS_REPLICA_H_

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/policy/engine.h"
#include "daemon/state/redis/cluster.h"
#include "daemon/state/redis/codec.h"

namespace saslatch::state::redis {

// Locks and familiar networks of all hosts, on each of them. What a host learns it writes into a
// stream that every other one reads; what is in force stands besides in a hash of locks and a
// sorted set of familiar networks, for hosts that come new or come back after the stream has been
// trimmed. What happened here while the server was away is told when it is back, locks first.
//
// Everything on the reactor's thread. No command's failure is handled here: whoever owns the
// connections ends them.
class Replica {
 public:
  using Clock = std::function<policy::Time()>;

  // `self` is this process's name among the hosts. All references outlive it.
  Replica(policy::Engine& engine, Log& log, Clock clock, ServerClock& server_clock, KeyNames keys,
          std::string self);

  // Meets the others on these connections, which outlive leave(): `news` is for the reading that
  // blocks. Calls `met` when locks are exchanged; familiar networks follow behind.
  void join(Cluster& commands, Client& news, std::function<void()> met);
  // The connections are gone.
  void leave();

  // A change of this host, told now or when the server is back.
  void tell(News news);

  // True while a change of another host is applied: what the engine journals then is told already.
  [[nodiscard]] bool is_applying() const { return is_applying_; }
  [[nodiscard]] size_t untold() const { return untold_.size(); }

  // Removes from the server what has expired. Once an hour is plenty.
  void clean();

 private:
  enum class Scan { kCleared, kLocks, kFamiliar };

  void compare(const Reply& first, const Reply& last);
  void scan(Scan what, const std::string& cursor, std::function<void()> then);
  void take_scanned(Scan what, const Reply& items);
  void forget_cleared();
  void note_cleared(const std::string& member);
  void collect();
  void push_locks(size_t from);
  void push_familiar(std::vector<policy::FamiliarRecord> records, size_t from);
  void meet();
  void send(const News& news);
  void announce(const News& news);
  void store(const policy::LockRecord& lock);
  void read_news();
  void take_news(const Reply& reply);
  void apply(const News& news);
  void forget_subjects(size_t node, const std::string& cursor);
  // A callback that is dropped once the connections are gone.
  Client::Callback guarded(Client::Callback then);

  policy::Engine& engine_;
  Log& log_;
  const Clock clock_;
  ServerClock& server_clock_;
  const KeyNames keys_;
  const std::string self_;

  Cluster* commands_ = nullptr;
  Client* news_ = nullptr;
  uint64_t joined_ = 0;  // how often, so that old callbacks are known
  bool has_met_ = false;
  std::function<void()> met_;
  std::string position_;      // in the stream; empty: never read
  bool is_complete_ = false;  // the server has been told everything
  // Of joining to a server that may know nothing: what it does know, and what it is told.
  std::unordered_map<uint64_t, policy::Time> cleared_;  // subjects, and 0 for all of them
  std::unordered_map<uint64_t, std::pair<policy::Time, uint32_t>> known_;  // locks: end, level
  std::vector<policy::LockRecord> locks_;
  std::vector<policy::FamiliarRecord> familiar_;
  std::deque<News> untold_;
  bool is_applying_ = false;
};

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_REPLICA_H_
