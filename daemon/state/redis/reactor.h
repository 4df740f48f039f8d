#ifndef SASLATCH_DAEMON_STATE_REDIS_REACTOR_H_
#define SASLATCH_DAEMON_STATE_REDIS_REACTOR_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace saslatch::state::redis {

// How a server is reached. A value.
struct Target {
  std::string host;  // a name or an address; empty: `path`
  std::string port;  // decimal
  std::string path;  // a Unix socket
  bool tls = false;

  friend bool operator==(const Target&, const Target&) = default;
  // `HOST:PORT` (an IPv6 address in brackets) or the path: for people.
  [[nodiscard]] std::string to_string() const;
};

// A byte stream to a server. Destroying it closes it, after which none of its Events is called.
class Stream {
 public:
  virtual ~Stream() = default;
  // Sends behind all earlier bytes, those sent before `connected` too. Never blocks.
  virtual void send(std::string bytes) = 0;
};

// What a Stream tells, each on the reactor's thread and never from within connect() or send().
struct StreamEvents {
  std::function<void()> connected;  // TLS is done too
  std::function<void(std::string_view bytes)> received;
  // It could not be made, or is over: the reason, for people. The last call.
  std::function<void(std::string reason)> closed;
};

// The thread on which everything about Redis happens, and its sockets and timers. daemon/net has
// the real one; tests have one whose clock they turn.
class Reactor {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Reactor() = default;

  // Begins to connect. Takes as long as the peer does: the caller sets the limit.
  virtual std::unique_ptr<Stream> connect(const Target& target, StreamEvents events) = 0;
  // Calls `then` once, `delay` from now. Cancelled when what it returns is destroyed (also by
  // `then` itself).
  virtual std::shared_ptr<void> call_after(std::chrono::milliseconds delay,
                                           std::function<void()> then) = 0;
  // Runs `task` on the reactor's thread, soon, in the order of the calls. Thread-safe; the two
  // above are for its thread only.
  virtual void post(std::function<void()> task) = 0;
  [[nodiscard]] virtual Clock::time_point now() const = 0;  // thread-safe
};

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_REACTOR_H_
