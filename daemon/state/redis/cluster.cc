#include "daemon/state/redis/cluster.h"

#include <algorithm>
#include <utility>

namespace saslatch::state::redis {
namespace {

constexpr uint16_t kNobody = UINT16_MAX;

bool is_moved(const Reply& reply) {
  return reply.kind == Reply::Kind::kError &&
         (reply.text.starts_with("MOVED ") || reply.text.starts_with("ASK ") ||
          reply.text.starts_with("CLUSTERDOWN") || reply.text.starts_with("TRYAGAIN"));
}

}  // namespace

uint16_t slot_of(std::string_view key) {
  const size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1)
      key = key.substr(open + 1, close - open - 1);
  }
  uint16_t crc = 0;
  for (const char byte : key) {
    crc = static_cast<uint16_t>(crc ^ static_cast<uint16_t>(static_cast<uint8_t>(byte) << 8));
    for (int bit = 0; bit < 8; ++bit)
      crc = static_cast<uint16_t>(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
  }
  return crc % kSlots;
}

Cluster::Cluster(Reactor& reactor, const Target& first, const Login& login,
                 std::chrono::milliseconds limit, Client::Events events)
    : reactor_(reactor), login_(login), limit_(limit), events_(std::move(events)) {
  nodes_.push_back(std::make_unique<Client>(
      reactor_, first, login_, Client::Role::kAny, limit_,
      Client::Events{[this] {
                       nodes_.front()->call({"CLUSTER", "SLOTS"},
                                            [this](const Reply& reply) { read_slots(reply); });
                     },
                     [this](const std::string& reason) { lose(reason); }}));
}

// A server that is none of a cluster, or whose user may not ask, says an error: it is the only one.
void Cluster::read_slots(const Reply& reply) {
  if (reply.kind == Reply::Kind::kLost) return;
  const Target first = nodes_.front()->target();
  if (reply.kind != Reply::Kind::kArray) {
    nodes_.clear();
    add_node(first);
    return;
  }
  is_cluster_ = true;
  owner_.fill(kNobody);
  std::vector<Target> targets;
  for (const Reply& range : reply.items) {
    const auto from = range.integer_at(0), to = range.integer_at(1);
    if (!from || !to || range.items.size() < 3 || *from < 0 || *to >= static_cast<int64_t>(kSlots))
      return lose("it does not say which node has which slots");
    const Reply& master = range.items[2];
    const auto port = master.integer_at(1);
    if (!port) return lose("it does not say which node has which slots");
    Target target = first;
    // A node that does not know its own address leaves it out.
    if (!master.items[0].text.empty()) target.host = master.items[0].text;
    target.port = std::to_string(*port);
    target.path.clear();
    const auto known = std::find(targets.begin(), targets.end(), target);
    const auto index = static_cast<uint16_t>(known - targets.begin());
    if (known == targets.end()) targets.push_back(target);
    for (int64_t slot = *from; slot <= *to; ++slot) owner_[static_cast<size_t>(slot)] = index;
  }
  if (std::find(owner_.begin(), owner_.end(), kNobody) != owner_.end())
    return lose("the cluster has slots that no node serves");
  nodes_.clear();
  for (const Target& target : targets) add_node(target);
}

void Cluster::add_node(const Target& target) {
  nodes_.push_back(std::make_unique<Client>(
      reactor_, target, login_, Client::Role::kMaster, limit_,
      Client::Events{[this] { node_ready(); },
                     [this](const std::string& reason) { lose(reason); }}));
}

void Cluster::node_ready() {
  if (++ready_ == nodes_.size()) events_.ready();
}

void Cluster::lose(const std::string& reason) {
  const auto lost = std::exchange(events_.lost, {});
  if (lost) lost(reason);
}

size_t Cluster::index_of(const Command& command) const {
  if (!is_cluster_) return 0;
  const size_t key = command[0] == "EVALSHA" ? 3 : 1;
  return key < command.size() ? owner_[slot_of(command[key])] : 0;
}

Client::Callback Cluster::watched(Client::Callback then) {
  if (!is_cluster_) return then;
  return [this, then = std::move(then)](const Reply& reply) {
    if (is_moved(reply)) return lose("the cluster has changed: " + reply.text);
    then(reply);
  };
}

void Cluster::call(const Command& command, Client::Callback then) {
  call_on(index_of(command), command, std::move(then));
}

void Cluster::call_on(size_t node, const Command& command, Client::Callback then) {
  nodes_[node]->call(command, watched(std::move(then)));
}

void Cluster::when_done(const std::function<void()>& then) {
  const auto left = std::make_shared<size_t>(nodes_.size());
  for (const auto& node : nodes_) {
    node->call({"PING"}, [left, then](const Reply& reply) {
      if (!reply.is_error() && --*left == 0) then();
    });
  }
}

const Target& Cluster::node_of(std::string_view key) const {
  return nodes_[is_cluster_ ? owner_[slot_of(key)] : 0]->target();
}

bool Cluster::waits_since(Reactor::Clock::time_point then) const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](const auto& node) { return node->waits_since(then); });
}

}  // namespace saslatch::state::redis
