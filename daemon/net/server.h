#ifndef SASLATCH_DAEMON_NET_SERVER_H_
#define SASLATCH_DAEMON_NET_SERVER_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/net/event_loop.h"

namespace saslatch::net {

// A socket that is served, and how.
struct Endpoint {
  std::string name;  // the NAME of [listen.NAME]; "control" for the control socket
  SocketAddress address;
  SessionFactory make;
};

// How a socket is, for `saslatch status`.
struct EndpointStatus {
  std::string name;
  std::vector<SocketAddress> addresses;  // where clients find it
  bool inherited = false;
  bool accepting = true;  // false: paused, as no descriptor is left
};

// The event loops and what they listen on. Used by one thread at a time.
class Server {
 public:
  // `threads` at least 1. All references outlive this object.
  Server(size_t threads, const TimeSource& clock, Metrics& metrics, Log& log);
  ~Server();

  // Sockets of the service manager: each belongs to the endpoint with its address, else to the one
  // with its name, so that one endpoint may have several; an endpoint with any opens none of its
  // own. All are kept open to the end, since closing one would refuse its clients; one that nobody
  // claims is logged.
  void inherit(std::vector<InheritedSocket> sockets);

  // Opens what is not open yet. Returns every socket that could not be opened; those that could be
  // are kept. Nothing is accepted before start().
  std::vector<Error> open(std::vector<Endpoint> endpoints);

  // Replaces all endpoints while running: sockets that stay the same stay open and lose no client,
  // new ones are opened before old ones are closed. On any error nothing changes. Clients of an
  // endpoint that went away are served on until they leave. When it returns, who connects is served
  // by the new ones.
  std::vector<Error> replace(std::vector<Endpoint> endpoints);

  void start();
  // Accepts no more and lets the clients go as Session::drain says, for at most `grace`.
  void stop(std::chrono::milliseconds grace);

  [[nodiscard]] std::vector<EndpointStatus> status() const;
  [[nodiscard]] size_t threads() const { return loops_.size(); }
  // Runs `task` on every loop's thread.
  void on_each_loop(const std::function<void(size_t loop_index)>& task);
  // For a watchdog, which calls it at intervals from one thread: whether every loop has come round
  // since the last call.
  [[nodiscard]] bool is_alive();

 private:
  struct Open {
    SocketAddress address;
    std::vector<size_t> claimed;  // which of inherited_; none: a socket of its own
    std::vector<ListeningSocket> sockets;
    // One for each loop, named by its index, and socket.
    std::vector<std::pair<size_t, std::shared_ptr<Acceptor>>> acceptors = {};
    std::shared_ptr<std::atomic<bool>> paused = std::make_shared<std::atomic<bool>>(false);
  };

  // For each endpoint, which of inherited_ belong to it.
  [[nodiscard]] std::vector<std::vector<size_t>> claims(
      const std::vector<Endpoint>& endpoints) const;
  void log_unclaimed();
  Result<Open> open_one(const Endpoint& endpoint, std::vector<size_t> claimed);
  void listen_on(Open& open, const Endpoint& endpoint, const ListeningSocket& socket,
                 EventLoop& loop);
  void accept_on(Open& open, const Endpoint& endpoint);
  void close_acceptors(Open& open);
  // Until every loop has done what it was told so far.
  void await_loops();

  size_t asked_round_ = 0;
  std::shared_ptr<std::atomic<size_t>> came_round_ = std::make_shared<std::atomic<size_t>>(0);
  const TimeSource& clock_;
  Metrics& metrics_;
  Log& log_;
  std::vector<InheritedSocket> inherited_;
  std::map<std::string, Open> open_;  // by the endpoint's name
  std::vector<Endpoint> not_started_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_SERVER_H_
