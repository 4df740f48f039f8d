#ifndef SASLATCH_DAEMON_NET_EVENT_LOOP_H_
#define SASLATCH_DAEMON_NET_EVENT_LOOP_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>

#include "daemon/metrics/metrics.h"
#include "daemon/net/acceptor.h"
#include "daemon/net/connection.h"
#include "daemon/session/now.h"

namespace saslatch::net {

// One thread that serves a share of the connections. Everything but context(), start(), stop() and
// join() is called on that thread.
//
// A task that lacks memory is given up, and the loop goes on.
class EventLoop {
 public:
  // `clock` and `metrics` outlive this object.
  EventLoop(size_t index, const TimeSource& clock, Metrics& metrics);
  ~EventLoop();

  void start();
  // Lets the clients go as Session::drain says and ends the thread when none is left or `grace` has
  // passed. Callable from any thread, once.
  void stop(std::chrono::milliseconds grace);
  void join();

  // Runs `task` on this loop's thread.
  void post(std::function<void()> task);

  // Whether the caller is on this loop's thread.
  [[nodiscard]] bool runs_here() const { return thread_.get_id() == std::this_thread::get_id(); }
  [[nodiscard]] size_t index() const { return index_; }
  [[nodiscard]] Now now() const { return clock_.read(); }
  [[nodiscard]] boost::asio::io_context& context() { return context_; }

  // Serves a connected socket; `make` makes its session. Takes over the descriptor. Throws
  // std::bad_alloc, with the client let go.
  void adopt(FileDescriptor fd, int family, const SessionFactory& make);
  void forget(uint64_t connection);
  [[nodiscard]] size_t connections() const { return connections_.size(); }
  // Some work on this loop was given up for want of memory.
  void note_out_of_memory() { metrics_.out_of_memory.add(); }
  // Of all loops.
  [[nodiscard]] size_t all_connections() const {
    return static_cast<size_t>(metrics_.connections.value());
  }

 private:
  void run();
  void end_if_empty();

  size_t index_;
  const TimeSource& clock_;
  Metrics& metrics_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer grace_;
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> connections_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_EVENT_LOOP_H_
