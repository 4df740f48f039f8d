#ifndef SASLATCH_DAEMON_NET_ACCEPTOR_H_
#define SASLATCH_DAEMON_NET_ACCEPTOR_H_

#include <sys/resource.h>

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/audit/log.h"
#include "daemon/net/handler_memory.h"
#include "daemon/net/listening_socket.h"
#include "daemon/session/session.h"

namespace saslatch::net {

class EventLoop;

// What a session is made for.
struct NewConnection {
  std::shared_ptr<Mailbox> mailbox;
  uint32_t number;    // unique in the life of the daemon, from 1
  size_t loop_index;  // the event loop that it lives on
  int socket;         // borrowed for the call
};

// Who is at the other end of a UNIX socket, as the kernel says; nullopt for others.
struct Peer {
  uint32_t uid = 0;
  uint32_t gid = 0;
};
std::optional<Peer> peer_of(int socket);

using SessionFactory =
    std::function<std::unique_ptr<Session>(const NewConnection& connection, Now now)>;

// Accepts from one listening socket on one event loop. Every loop has its own acceptor on a
// duplicate of the same descriptor, so that whichever loop is idle takes the next client. When no
// descriptor is left, but for the few that the daemon itself needs, it pauses, logs that once, and
// goes on as soon as one is free again; the clients wait in the kernel's queue meanwhile. Whom
// there is no memory for is let go, and waiting for the next one needs none. Lives on its loop.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  // `loop` and `log` outlive this object. `paused` is shared by the acceptors of one listener, so
  // that a pause is logged once and not once a loop.
  Acceptor(EventLoop& loop, Log& log, std::string listener, SessionFactory make,
           std::shared_ptr<std::atomic<bool>> paused);

  // `fd` listens and does not block.
  void start(FileDescriptor fd);
  // Accepts no more. Those who have connected by now are served first: to them the listener was
  // there.
  void stop();

 private:
  enum class More { kWaiting, kNone, kFailed };
  // With the executor's own type, which no copy allocates.
  using Executor = boost::asio::io_context::executor_type;
  using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;
  using Timer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

  void wait();
  void on_readable();
  void accept_some();
  void retry_later();
  // Takes the next client, if one waits. `descriptors` is the process's limit.
  More accept_one(rlim_t descriptors);
  void pause(int reason);

  EventLoop& loop_;
  Log& log_;
  std::string listener_;
  SessionFactory make_;
  HandlerMemory wait_memory_;   // before what waits with it
  HandlerMemory retry_memory_;  // likewise
  Descriptor fd_;
  Timer retry_;
  std::shared_ptr<std::atomic<bool>> paused_;
  bool stopped_ = false;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_ACCEPTOR_H_
