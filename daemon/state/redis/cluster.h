#ifndef SASLATCH_DAEMON_STATE_REDIS_CLUSTER_H_
#define SASLATCH_DAEMON_STATE_REDIS_CLUSTER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/state/redis/client.h"

namespace saslatch::state::redis {

constexpr size_t kSlots = 16384;

// The slot of a key, as the specification of Redis Cluster has it: CRC-16/XMODEM of what is between
// the first `{` and the next `}`, or of all of it, modulo kSlots.
uint16_t slot_of(std::string_view key);

// One server, or all masters of a Redis Cluster: which of both it is, the first one says. A command
// goes to the node that has its key. When any node is lost, or tells that a slot has moved, all is
// lost: who comes again learns where everything is now.
//
// As Client: everything on the reactor's thread.
class Cluster {
 public:
  // `reactor` outlives it. `first` is any node.
  Cluster(Reactor& reactor, const Target& first, const Login& login,
          std::chrono::milliseconds limit, Client::Events events);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // `then` as Client::call() has it; the order holds for commands to one node.
  void call(const Command& command, Client::Callback then);
  // The same on one node, for commands without a key.
  void call_on(size_t node, const Command& command, Client::Callback then);
  // Calls `then` when every node has done what was sent to it before.
  void when_done(const std::function<void()>& then);

  [[nodiscard]] bool is_cluster() const { return is_cluster_; }
  [[nodiscard]] size_t nodes() const { return nodes_.size(); }
  [[nodiscard]] const Target& node_of(std::string_view key) const;
  [[nodiscard]] bool waits_since(Reactor::Clock::time_point then) const;
  [[nodiscard]] const Client& scripts() const { return *nodes_.front(); }

 private:
  void read_slots(const Reply& reply);
  void add_node(const Target& target);
  void node_ready();
  void lose(const std::string& reason);
  [[nodiscard]] size_t index_of(const Command& command) const;
  Client::Callback watched(Client::Callback then);

  Reactor& reactor_;
  const Login& login_;
  const std::chrono::milliseconds limit_;
  Client::Events events_;
  bool is_cluster_ = false;
  size_t ready_ = 0;
  std::vector<std::unique_ptr<Client>> nodes_;
  std::array<uint16_t, kSlots> owner_{};  // of each slot: an index in nodes_
};

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_CLUSTER_H_
