#ifndef SASLATCH_DAEMON_STATE_REDIS_SHARED_STATE_H_
#define SASLATCH_DAEMON_STATE_REDIS_SHARED_STATE_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/audit/audit.h"
#include "daemon/audit/log.h"
#include "daemon/audit/once_per_minute.h"
#include "daemon/metrics/metrics.h"
#include "daemon/policy/engine.h"
#include "daemon/policy/shared.h"
#include "daemon/state/redis/cluster.h"
#include "daemon/state/redis/codec.h"
#include "daemon/state/redis/replica.h"
#include "protocol/base/random.h"

namespace saslatch::state::redis {

struct SharedOptions {
  std::vector<Target> servers;  // tried in turn; with a sentinel_master they are sentinels
  std::string sentinel_master;  // its name; empty: no sentinels
  Login login;
  std::string prefix;
  Milliseconds budget{50};    // an attempt waits no longer
  Milliseconds stands{5500};  // a reservation, if its host dies: max-hold and a little
};

// Counting together with other hosts, in one Redis: asks it before a credential is verified, tells
// it afterwards, and keeps locks and familiar networks the same everywhere (Replica).
//
// Without a server, or with one that takes longer than `budget`, each host decides by its own
// engine, which counts all along: logins go on, and the limits hold on each host. That is logged
// once a minute and counted. What happened meanwhile is told when the server is back, locks first.
//
// Its public members are thread-safe; everything else happens on the reactor's thread.
class SharedState final : public policy::Sharing {
 public:
  using Clock = Replica::Clock;
  using Duration = policy::Duration;

  // All references outlive it, and the reactor's thread has ended before this object goes.
  // `random` is used here only.
  SharedState(SharedOptions options, Reactor& reactor, policy::Engine& engine, Clock clock,
              AuditSink& audit, Metrics& metrics, Log& log, Random& random);
  ~SharedState() override;

  // Begins to connect, on the reactor's thread. The engine has been told to share().
  void start();
  // Tells what is left to tell, for at most `patience`, then calls `stopped`.
  void stop(Milliseconds patience, std::function<void()> stopped);

  [[nodiscard]] bool is_usable() const override { return usable_.load(std::memory_order_relaxed); }
  void reserve(policy::SharedRequest request, Duration patience,
               std::function<void(policy::SharedReply)> done) override;
  void settle(policy::SharedSettlement settlement) override;

  // What the engine journals; see SharedJournal.
  void publish(const policy::Change& change);
  void cleared(uint64_t subject, const std::vector<uint64_t>& locks);

  struct Health {
    bool is_usable = false;
    std::string server;  // the one that is used, or tried
    std::string reason;  // why not
    size_t untold = 0;   // settlements and changes that wait for the server
  };
  [[nodiscard]] Health health() const;

 private:
  using Mono = Reactor::Clock::time_point;

  struct Ask {
    policy::SharedRequest request;
    std::function<void(policy::SharedReply)> done;  // empty: called
    Mono sent;
    Mono gives_up;
    uint64_t number = 0;
    // What each part of it came to: there is one, or in a cluster one for each subject.
    std::vector<policy::SharedReply> parts;
    size_t unanswered = 0;
  };
  struct Told {
    policy::SharedSettlement settlement;
    policy::Time at;
  };

  void run(std::function<void()> task);
  void drain();

  // The connections.
  void connect();
  void ask_sentinel(const Target& sentinel);
  void connect_to(const Target& target);
  void open_news();
  void join();
  void joined();
  void lose(const std::string& reason);
  void retry_later();
  void watch();
  void probe();
  void set_usable(bool usable, const std::string& reason);

  // Questions.
  void ask(const std::shared_ptr<Ask>& question);
  void on_part(const std::shared_ptr<Ask>& question, size_t part, const Reply& reply);
  void on_reserved(const std::shared_ptr<Ask>& question);
  void answer(Ask& question, policy::SharedReply reply);
  void expire();
  void arm();
  void ask_again(std::shared_ptr<Ask> question);
  void answer_all();
  // The parts that reserved something.
  void release(const Ask& question);

  // Settlements.
  void tell(Told told);
  void send(Told told);
  void on_settled(uint64_t number, const Reply& reply);
  void tell_backlog();
  void note_lock(const policy::SharedSettlement& settlement, const SharedLock& lock);
  void end_if_told();

  const SharedOptions options_;
  Reactor& reactor_;
  policy::Engine& engine_;
  const Clock clock_;
  AuditSink& audit_;
  Metrics& metrics_;
  Log& log_;
  const KeyNames keys_;
  ServerClock server_clock_;
  Replica replica_;
  OncePerMinute complaint_;
  uint64_t chance_;  // spreads the hosts' attempts to connect

  // The reactor thread's.
  std::unique_ptr<Client> sentinel_;
  std::unique_ptr<Cluster> commands_;
  std::unique_ptr<Client> news_;
  std::shared_ptr<void> retry_;
  std::shared_ptr<void> watch_;
  std::shared_ptr<void> expiry_;
  std::shared_ptr<void> probe_;
  size_t next_server_ = 0;
  unsigned failures_ = 0;  // to connect, in a row
  bool has_joined_ = false;
  bool is_slow_ = false;
  Mono joined_at_{};
  bool has_complained_ = true;  // or has not begun: the next good news is told
  Mono cleaned_{};
  uint64_t numbers_ = 0;
  uint64_t connection_ = 0;  // how many there were, so that old callbacks are known
  std::map<uint64_t, std::shared_ptr<Ask>> asked_;  // by number, hence by age
  // Those that wait for reservations of other hosts, with their timers.
  std::map<uint64_t, std::pair<std::shared_ptr<Ask>, std::shared_ptr<void>>> parked_;
  std::map<uint64_t, Told> told_;  // sent, not acknowledged
  std::deque<Told> backlog_;
  std::function<void()> stopped_;
  std::shared_ptr<void> stop_limit_;

  std::atomic<bool> usable_{false};
  std::atomic<std::thread::id> thread_{};  // the reactor's
  mutable std::mutex mutex_;
  std::vector<std::function<void()>> inbox_;  // these two by mutex_
  Health health_;
};

// The journal of an engine that shares: `store` has everything, `shared` what concerns others.
class SharedJournal final : public policy::Journal {
 public:
  explicit SharedJournal(policy::Journal& store) : store_(store) {}
  // Before the first change.
  void share(SharedState& shared) { shared_ = &shared; }

  uint64_t append(const policy::Change& change) override {
    if (shared_ != nullptr) shared_->publish(change);
    return store_.append(change);
  }
  uint64_t append_unsaid() override { return store_.append_unsaid(); }
  void cleared(uint64_t subject, const std::vector<uint64_t>& locks) override {
    if (shared_ != nullptr) shared_->cleared(subject, locks);
  }

 private:
  policy::Journal& store_;
  SharedState* shared_ = nullptr;
};

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_SHARED_STATE_H_
