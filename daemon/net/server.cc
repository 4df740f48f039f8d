#include "daemon/net/server.h"

#include <fcntl.h>

#include <algorithm>
#include <future>
#include <utility>

namespace saslatch::net {
namespace {

// A loop that is stuck is the watchdog's to see; a reload goes on without it.
constexpr std::chrono::seconds kReloadPatience{1};

}  // namespace

Server::Server(size_t threads, const TimeSource& clock, Metrics& metrics, Log& log)
    : clock_(clock), metrics_(metrics), log_(log) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) {
    loops_.push_back(std::make_unique<EventLoop>(i, clock_, metrics_));
  }
}

Server::~Server() = default;

void Server::inherit(std::vector<InheritedSocket> sockets) { inherited_ = std::move(sockets); }

std::vector<std::vector<size_t>> Server::claims(const std::vector<Endpoint>& endpoints) const {
  std::vector<std::vector<size_t>> claimed(endpoints.size());
  for (size_t i = 0; i < inherited_.size(); ++i) {
    const InheritedSocket& socket = inherited_[i];
    auto owner = std::find_if(endpoints.begin(), endpoints.end(), [&](const Endpoint& endpoint) {
      return socket.address && is_same_place(*socket.address, endpoint.address);
    });
    if (owner == endpoints.end()) {
      owner = std::find_if(endpoints.begin(), endpoints.end(),
                           [&](const Endpoint& endpoint) { return socket.name == endpoint.name; });
    }
    if (owner != endpoints.end()) {
      claimed[static_cast<size_t>(owner - endpoints.begin())].push_back(i);
    }
  }
  return claimed;
}

void Server::log_unclaimed() {
  for (size_t i = 0; i < inherited_.size(); ++i) {
    const bool claimed = std::any_of(open_.begin(), open_.end(), [i](const auto& entry) {
      const std::vector<size_t>& own = entry.second.claimed;
      return std::find(own.begin(), own.end(), i) != own.end();
    });
    if (claimed) continue;
    const InheritedSocket& socket = inherited_[i];
    log_.warning("socket-unclaimed",
                 "a socket of the service manager belongs to no [listen.*]; give it the address or "
                 "FileDescriptorName= of one",
                 {{"name", socket.name},
                  {"address", socket.address ? to_string(*socket.address) : "unknown"}});
  }
}

Result<Server::Open> Server::open_one(const Endpoint& endpoint, std::vector<size_t> claimed) {
  Open open{endpoint.address, std::move(claimed), {}};
  for (const size_t index : open.claimed) {
    FileDescriptor copy(fcntl(inherited_[index].fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return failure("[listen." + endpoint.name + "] no descriptor is left");
    open.sockets.push_back(ListeningSocket::inherited(std::move(copy)));
  }
  if (!open.sockets.empty()) return open;
  auto socket = ListeningSocket::open(endpoint.address);
  if (!socket) {
    return failure("[listen." + endpoint.name + "] " + socket.error().message);
  }
  open.sockets.push_back(std::move(*socket));
  return open;
}

std::vector<Error> Server::open(std::vector<Endpoint> endpoints) {
  std::vector<Error> errors;
  std::vector<std::vector<size_t>> claimed = claims(endpoints);
  for (size_t i = 0; i < endpoints.size(); ++i) {
    auto opened = open_one(endpoints[i], std::move(claimed[i]));
    if (opened) {
      open_.insert_or_assign(endpoints[i].name, std::move(*opened));
      not_started_.push_back(std::move(endpoints[i]));
    } else {
      errors.push_back(opened.error());
    }
  }
  return errors;
}

std::vector<Error> Server::replace(std::vector<Endpoint> endpoints) {
  std::vector<Error> errors;
  std::map<std::string, Open> opened;
  std::vector<std::vector<size_t>> claimed = claims(endpoints);
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const Endpoint& endpoint = endpoints[i];
    const auto old = open_.find(endpoint.name);
    if (old != open_.end() && old->second.address == endpoint.address &&
        old->second.claimed == claimed[i]) {
      continue;
    }
    auto fresh = open_one(endpoint, std::move(claimed[i]));
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
  await_loops();
  log_unclaimed();
  return {};
}

void Server::await_loops() {
  std::vector<std::future<void>> all;
  for (const auto& loop : loops_) {
    if (loop->runs_here()) continue;  // the control loop, which reloads its own endpoints
    auto promise = std::make_shared<std::promise<void>>();
    all.push_back(promise->get_future());
    loop->post([promise = std::move(promise)] { promise->set_value(); });
  }
  const auto until = std::chrono::steady_clock::now() + kReloadPatience;
  for (const auto& one : all) one.wait_until(until);
}

void Server::accept_on(Open& open, const Endpoint& endpoint) {
  for (const auto& loop : loops_) {
    for (const ListeningSocket& socket : open.sockets) listen_on(open, endpoint, socket, *loop);
  }
}

void Server::listen_on(Open& open, const Endpoint& endpoint, const ListeningSocket& socket,
                       EventLoop& loop) {
  FileDescriptor own(fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  if (!own) {
    log_.error("listener-short", "no descriptor to listen with on every thread",
               {{"listener", endpoint.name}});
    return;
  }
  auto acceptor = std::make_shared<Acceptor>(loop, log_, endpoint.name, endpoint.make, open.paused);
  open.acceptors.emplace_back(loop.index(), acceptor);
  loop.post([acceptor, fd = own.release()] { acceptor->start(FileDescriptor(fd)); });
}

void Server::close_acceptors(Open& open) {
  for (auto& [loop_index, acceptor] : open.acceptors) {
    loops_[loop_index]->post([acceptor = acceptor] { acceptor->stop(); });
  }
  open.acceptors.clear();
}

void Server::start() {
  log_unclaimed();
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
    EndpointStatus status{name, {}, !open.claimed.empty(), !open.paused->load()};
    for (const size_t index : open.claimed) {
      if (inherited_[index].address) status.addresses.push_back(*inherited_[index].address);
    }
    if (status.addresses.empty()) status.addresses.push_back(open.address);
    all.push_back(std::move(status));
  }
  return all;
}

void Server::on_each_loop(const std::function<void(size_t loop_index)>& task) {
  for (const auto& loop : loops_) {
    loop->post([task, index = loop->index()] { task(index); });
  }
}

bool Server::is_alive() {
  if (*came_round_ < asked_round_) return false;
  asked_round_ += loops_.size();
  on_each_loop([came_round = came_round_](size_t) { ++*came_round; });
  return true;
}

}  // namespace saslatch::net
