#ifndef SASLATCH_DAEMON_NET_REACTOR_H_
#define SASLATCH_DAEMON_NET_REACTOR_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "daemon/net/client_stream.h"
#include "daemon/net/name_lookup.h"
#include "daemon/state/redis/reactor.h"

namespace saslatch::net {

// The thread on which the daemon talks to Redis, with real sockets and the real clock.
//
// Streams, and what call_after() returns, are destroyed on that thread, or by anybody after stop();
// in either case before this object.
class AsioReactor final : public state::redis::Reactor {
 public:
  // `tls` is for targets with TLS.
  explicit AsioReactor(TlsFiles tls = {});
  ~AsioReactor() override;  // stops

  // Begins the thread; what was posted before runs then. Once, and after privileges are dropped.
  void start();
  // Ends the thread: when this returns nothing of it runs any more, and nothing will. What is
  // posted and was not run is forgotten. Not from the thread itself; any number of times.
  void stop();

  std::unique_ptr<state::redis::Stream> connect(const state::redis::Target& target,
                                                state::redis::StreamEvents events) override;
  std::shared_ptr<void> call_after(std::chrono::milliseconds delay,
                                   std::function<void()> then) override;
  void post(std::function<void()> task) override;
  [[nodiscard]] Clock::time_point now() const override { return Clock::now(); }

 private:
  const TlsFiles tls_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  NameLookup lookup_;
  std::thread thread_;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_REACTOR_H_
