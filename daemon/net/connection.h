#ifndef SASLATCH_DAEMON_NET_CONNECTION_H_
#define SASLATCH_DAEMON_NET_CONNECTION_H_

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "daemon/session/session.h"

namespace saslatch::net {

class EventLoop;

// One client: moves bytes, time and mail between a socket and its Session. Lives on one EventLoop;
// only the Mailbox half may be used from other threads.
class Connection final : public Mailbox, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  Connection(EventLoop& loop, Socket socket, uint64_t number);
  ~Connection() override = default;

  // Begins with `session`, which was made with this object as its Mailbox.
  void start(std::unique_ptr<Session> session);
  void drain();

  void deliver(uint64_t key, Answer answer) override;
  void release(uint64_t key) override;
  void wake(uint64_t key) override;
  void run(std::function<void(Now)> task) override;
  [[nodiscard]] bool is_open() const override { return open_.load(std::memory_order_acquire); }

 private:
  // Runs `tell` on the loop, unless the client is gone by then.
  template <typename Tell>
  void post(Tell tell);
  void wait_readable();
  void on_readable();
  void wait_writable();
  // After each thing told to the session: writes what came out, closes, or sets the timer.
  void settle();
  void write_pending();
  void set_timer();
  void close();
  [[nodiscard]] bool has_hung_up();

  EventLoop& loop_;
  Socket socket_;
  boost::asio::steady_timer timer_;
  uint64_t number_;
  std::unique_ptr<Session> session_;
  std::string pending_;  // written by the session, not yet taken by the kernel
  std::optional<Mono> timer_at_;
  std::atomic<bool> open_{true};
  bool input_ended_ = false;
  bool reading_ = false;  // a wait for input is under way
  bool writing_ = false;  // a wait for room is under way
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_CONNECTION_H_
