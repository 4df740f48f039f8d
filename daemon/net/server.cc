#include "daemon/net/server.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace saslatch::net {

Server::Server(size_t threads, const TimeSource& clock, Metrics& metrics, Log& log)
    : clock_(clock), metrics_(metrics), log_(log) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) {
    loops_.push_back(std::make_unique<EventLoop>(i, clock_, metrics_));
  }
}

Server::~Server() = default;

void Server::inherit(std::vector<InheritedSocket> sockets) { inherited_ = std::move(sockets); }

Result<Server::Open> Server::open_one(const Endpoint& endpoint) {
  const auto by_address = [&](const InheritedSocket& socket) {
    return socket.fd && socket.address && is_same_place(*socket.address, endpoint.address);
  };
  const auto by_name = [&](const InheritedSocket& socket) {
    return socket.fd && socket.name == endpoint.name;
  };
  auto found = std::find_if(inherited_.begin(), inherited_.end(), by_address);
  if (found == inherited_.end()) {
    found = std::find_if(inherited_.begin(), inherited_.end(), by_name);
  }
  if (found != inherited_.end()) {
    return Open{endpoint.address, ListeningSocket::inherited(std::move(found->fd))};
  }
  auto socket = ListeningSocket::open(endpoint.address);
  if (!socket) {
    return failure("[listen." + endpoint.name + "] " + socket.error().message);
  }
  return Open{endpoint.address, std::move(*socket)};
}

std::vector<Error> Server::open(std::vector<Endpoint> endpoints) {
  std::vector<Error> errors;
  for (Endpoint& endpoint : endpoints) {
    auto opened = open_one(endpoint);
    if (opened) {
      open_.insert_or_assign(endpoint.name, std::move(*opened));
      not_started_.push_back(std::move(endpoint));
    } else {
      errors.push_back(opened.error());
    }
  }
  return errors;
}

std::vector<Error> Server::replace(std::vector<Endpoint> endpoints) {
  std::vector<Error> errors;
  std::map<std::string, Open> opened;
  for (const Endpoint& endpoint : endpoints) {
    const auto old = open_.find(endpoint.name);
    if (old != open_.end() && old->second.address == endpoint.address) continue;
    auto fresh = open_one(endpoint);
    if (fresh) {
      opened.emplace(endpoint.name, std::move(*fresh));
    } else {
      errors.push_back(fresh.error());
    }
  }
  if (!errors.empty()) return errors;

  std::map<std::string, Open> next;
  for (const Endpoint& endpoint : endpoints) {
    auto fresh = opened.extract(endpoint.name);
    auto kept = fresh.empty() ? open_.extract(endpoint.name) : std::move(fresh);
    Open& open = next.insert(std::move(kept)).position->second;
    // The way sessions are made may have changed though the socket did not.
    close_acceptors(open);
    accept_on(open, endpoint);
  }
  for (auto& [name, gone] : open_) close_acceptors(gone);
  open_ = std::move(next);
  return {};
}

void Server::accept_on(Open& open, const Endpoint& endpoint) {
  for (const auto& loop : loops_) {
    auto acceptor =
        std::make_shared<Acceptor>(*loop, log_, endpoint.name, endpoint.make, open.paused);
    open.acceptors.push_back(acceptor);
    FileDescriptor own(fcntl(open.socket.get(), F_DUPFD_CLOEXEC, 0));
    if (!own) {
      log_.error("listener-short", "no descriptor to listen with on every thread",
                 {{"listener", endpoint.name}});
      continue;
    }
    loop->post([acceptor, fd = own.release()] { acceptor->start(FileDescriptor(fd)); });
  }
}

void Server::close_acceptors(Open& open) {
  for (size_t i = 0; i < open.acceptors.size(); ++i) {
    loops_[i]->post([acceptor = open.acceptors[i]] { acceptor->stop(); });
  }
  open.acceptors.clear();
}

void Server::start() {
  for (const InheritedSocket& socket : inherited_) {
    if (!socket.fd) continue;
    log_.warning("socket-unclaimed",
                 "a socket of the service manager belongs to no [listen.*]; give it the address or "
                 "FileDescriptorName= of one",
                 {{"name", socket.name},
                  {"address", socket.address ? to_string(*socket.address) : "unknown"}});
  }
  for (const auto& loop : loops_) loop->start();
  for (const Endpoint& endpoint : not_started_) accept_on(open_.at(endpoint.name), endpoint);
  not_started_.clear();
}

void Server::stop(std::chrono::milliseconds grace) {
  for (auto& [name, open] : open_) close_acceptors(open);
  for (const auto& loop : loops_) loop->stop(grace);
  for (const auto& loop : loops_) loop->join();
  open_.clear();
}

std::vector<EndpointStatus> Server::status() const {
  std::vector<EndpointStatus> all;
  for (const auto& [name, open] : open_) {
    all.push_back({name, open.socket.is_inherited(), !open.paused->load()});
  }
  return all;
}

void Server::on_each_loop(const std::function<void(size_t loop_index)>& task) {
  for (const auto& loop : loops_) {
    loop->post([task, index = loop->index()] { task(index); });
  }
}

}  // namespace saslatch::net
