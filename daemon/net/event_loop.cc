#include "daemon/net/event_loop.h"

#include <pthread.h>

#include <atomic>
#include <boost/asio/detail/concurrency_hint.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <new>
#include <utility>
#include <vector>

namespace saslatch::net {

EventLoop::EventLoop(size_t index, const TimeSource& clock, Metrics& metrics)
    : index_(index),
      clock_(clock),
      metrics_(metrics),
      // Sockets and timers of a loop are touched on its own thread only: they need no locks. What
      // other threads post still has one.
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      work_(boost::asio::make_work_guard(context_)),
      grace_(context_) {}

EventLoop::~EventLoop() { join(); }

void EventLoop::start() {
  thread_ = std::thread([this] {
    sigset_t all;  // signals belong to the main thread
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    run();
  });
}

// Who lacks memory gives up his own work: a connection ends itself. What comes through to here is a
// task without an owner; the loop goes on with the next.
void EventLoop::run() {
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::bad_alloc&) {
      note_out_of_memory();
    }
  }
}

void EventLoop::stop(std::chrono::milliseconds grace) {
  post([this, grace] {
    stopping_ = true;
    std::vector<std::shared_ptr<Connection>> all;
    all.reserve(connections_.size());
    for (const auto& [number, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->drain();
    grace_.expires_after(grace);
    grace_.async_wait([this](const boost::system::error_code& error) {
      if (!error) context_.stop();
    });
    end_if_empty();
  });
}

void EventLoop::join() {
  if (thread_.joinable()) thread_.join();
}

void EventLoop::post(std::function<void()> task) { boost::asio::post(context_, std::move(task)); }

void EventLoop::adopt(FileDescriptor fd, int family, const SessionFactory& make) {
  static std::atomic<uint32_t> next_number{1};
  const uint32_t number = next_number.fetch_add(1, std::memory_order_relaxed);
  if (stopping_) return;
  int native = -1;
  std::shared_ptr<Connection> connection;
  try {
    boost::system::error_code error;
    Connection::Socket socket(context_);
    socket.assign(boost::asio::generic::stream_protocol(family, 0), fd.get(), error);
    if (error) return;
    native = fd.release();
    connection = std::make_shared<Connection>(*this, std::move(socket), number);
    connections_.emplace(number, connection);
  } catch (const std::bad_alloc&) {
    note_out_of_memory();
    throw;
  }
  metrics_.connections.add(1);
  metrics_.connections_accepted.add();
  try {
    connection->start(make({connection, number, index_, native}, now()));
  } catch (const std::bad_alloc&) {
    connection->give_up();
    throw;
  }
}

void EventLoop::forget(uint64_t connection) {
  metrics_.connections.add(-1);
  connections_.erase(connection);
  end_if_empty();
}

void EventLoop::end_if_empty() {
  if (!stopping_ || !connections_.empty()) return;
  grace_.cancel();
  work_.reset();
}

}  // namespace saslatch::net
