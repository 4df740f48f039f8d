#ifndef SASLATCH_DAEMON_STATE_REDIS_CLIENT_H_
#define SASLATCH_DAEMON_STATE_REDIS_CLIENT_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/state/redis/reactor.h"
#include "daemon/state/redis/resp.h"
#include "protocol/base/secret.h"

namespace saslatch::state::redis {

struct Login {
  std::string user;  // empty: the default user
  Secret password;   // empty: none is asked for
  int database = 0;
};

// One connection to a server, from connecting on: says who it is, checks that the server may be
// written to, loads the scripts, and then carries commands, as many at a time as one likes.
// Everything on the reactor's thread.
class Client {
 public:
  using Callback = std::function<void(const Reply&)>;

  enum class Role {
    kMaster,    // may be written to; has the scripts
    kAny,       // of a cluster, only asked
    kSentinel,  // only asked, and wants no login
  };

  struct Events {
    std::function<void()> ready;
    // The connection is over, or the server is not one to be used; why, for people. The last call;
    // the object may be destroyed by it. Callbacks that wait have had Kind::kLost.
    std::function<void(std::string reason)> lost;
  };

  // `reactor` outlives it. Gives up if it is not ready after `limit`.
  Client(Reactor& reactor, Target target, const Login& login, Role role,
         std::chrono::milliseconds limit, Events events);
  // Drops callbacks that wait without calling them.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // `then` is called once, in the order of the calls, never before call() returns.
  void call(const Command& command, Callback then);
  [[nodiscard]] size_t outstanding() const { return waiting_.size(); }
  // Whether a command that was called before `then` is not answered yet.
  [[nodiscard]] bool waits_since(Reactor::Clock::time_point then) const {
    return !waiting_.empty() && waiting_.front().called < then;
  }
  [[nodiscard]] const Target& target() const { return target_; }

  // Digests of the scripts; once ready.
  [[nodiscard]] const std::string& reserve_sha() const { return digests_[0]; }
  [[nodiscard]] const std::string& settle_sha() const { return digests_[1]; }
  [[nodiscard]] const std::string& lock_sha() const { return digests_[2]; }

 private:
  struct Waiting {
    Callback then;
    Reactor::Clock::time_point called;
  };

  void greet(const Login& login, Role role);
  void expect(const Command& command, const char* what);
  void received(std::string_view bytes);
  void fail(std::string reason);

  Reactor& reactor_;
  const Target target_;
  Events events_;
  ReplyReader reader_;
  std::deque<Waiting> waiting_;
  std::vector<std::string> digests_;
  std::shared_ptr<void> limit_;
  std::unique_ptr<Stream> stream_;  // null: lost
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_CLIENT_H_
