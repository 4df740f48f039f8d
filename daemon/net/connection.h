#ifndef SASLATCH_DAEMON_NET_CONNECTION_H_
#define SASLATCH_DAEMON_NET_CONNECTION_H_

#include <array>
#include <atomic>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "daemon/session/session.h"

namespace saslatch::net {

class EventLoop;

// One client: moves bytes, time and mail between a socket and its Session. Lives on one EventLoop;
// only the Mailbox half may be used from other threads.
class Connection final : public Mailbox, public std::enable_shared_from_this<Connection> {
 public:
  // With the executor's own type: any_executor would copy and destroy it several times a read.
  using Executor = boost::asio::io_context::executor_type;
  using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

  Connection(EventLoop& loop, Socket socket, uint64_t number);
  ~Connection() override = default;

  // Begins with `session`, which was made with this object as its Mailbox.
  void start(std::unique_ptr<Session> session);
  // Ends for want of memory.
  void give_up();
  void drain();

  void deliver(uint64_t key, Answer answer) override;
  void release(uint64_t key) override;
  void wake(uint64_t key) override;
  void run(std::function<void(Now)> task) override;
  [[nodiscard]] bool is_open() const override { return open_.load(std::memory_order_acquire); }

 private:
  // Runs `work`; where that lacks memory, the client is let go, and nobody else.
  template <typename Work>
  void guarded(const Work& work);
  // Runs `tell` on the loop, unless the client is gone by then.
  template <typename Tell>
  void post(Tell tell);
  void read();
  void on_read(const boost::system::error_code& error, size_t size);
  void wait_writable();
  // After each thing told to the session: writes what came out, closes, or sets the timer.
  void settle();
  void write_pending();
  void set_timer();
  void close();
  [[nodiscard]] bool has_hung_up();

  // As much as a mail server sends at once; what is longer comes in several reads. Of each
  // connection its own: a read under way then needs no epoll_ctl, which a wait would.
  static constexpr size_t kReadBuffer = 4096;
  using Timer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

  EventLoop& loop_;
  Socket socket_;
  Timer timer_;
  uint64_t number_;
  std::unique_ptr<Session> session_;
  std::array<char, kReadBuffer> input_;
  std::string pending_;  // written by the session, not yet taken by the kernel
  std::optional<Mono> timer_at_;
  std::atomic<bool> open_{true};
  bool input_ended_ = false;
  bool reading_ = false;  // a read is under way
  bool writing_ = false;  // a wait for room is under way
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_CONNECTION_H_
