#ifndef SASLATCH_DAEMON_SHARING_H_
#define SASLATCH_DAEMON_SHARING_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "daemon/config/config.h"
#include "daemon/net/reactor.h"
#include "daemon/policy/engine.h"
#include "daemon/state/redis/shared_state.h"
#include "protocol/base/result.h"

namespace saslatch {

// `[state] backend = redis`: the thread, the connections, and the keys that the hosts share.
class SharingHosts {
 public:
  // What it works with; all of it outlives this object.
  struct Parts {
    policy::Engine& engine;
    std::function<policy::Time()> clock;
    AuditSink& audit;
    Metrics& metrics;
    Log& log;
    Random& random;
  };

  // Reads the files of `config`; an error says which one and why. Connects to nothing yet.
  static Result<std::unique_ptr<SharingHosts>> make(const config::StateConfig& config,
                                                    std::chrono::milliseconds max_hold,
                                                    Parts parts);
  ~SharingHosts();

  // What all hosts turn subjects into, whatever this host used before.
  [[nodiscard]] const policy::HashKey& subject_key() const { return subject_key_; }
  [[nodiscard]] state::redis::SharedState& state() { return *state_; }
  [[nodiscard]] const state::redis::SharedState& state() const { return *state_; }

  // Tells the engine, and begins to connect. After privileges are dropped.
  void start();
  // Tells the others what is left to tell, for a moment, and ends the thread.
  void stop();

 private:
  SharingHosts(const config::StateConfig& config, Secret cluster_key,
               state::redis::SharedOptions options, Parts parts);

  Parts parts_;
  policy::HashKey subject_key_;
  policy::HashKey fingerprint_key_;
  net::AsioReactor reactor_;
  std::unique_ptr<state::redis::SharedState> state_;
  bool is_running_ = false;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SHARING_H_
