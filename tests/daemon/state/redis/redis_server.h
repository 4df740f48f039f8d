#ifndef SASLATCH_TESTS_DAEMON_STATE_REDIS_REDIS_SERVER_H_
#define SASLATCH_TESTS_DAEMON_STATE_REDIS_REDIS_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "daemon/state/redis/resp.h"
#include "tests/daemon/net/temporary_folder.h"

namespace saslatch::testing {

// A real redis-server of the test's own, on a Unix socket in a folder of its own, that stores
// nothing. It ends with this object.
class RedisServer {
 public:
  enum class Kind { kAlone, kOfCluster };  // one of a cluster listens on TCP too

  explicit RedisServer(Kind kind = Kind::kAlone);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // False where Debian's redis-tools are not installed.
  [[nodiscard]] static bool is_installed();

  [[nodiscard]] std::string path() const { return folder_ / "redis.sock"; }
  [[nodiscard]] int port() const { return port_; }  // of one of a cluster
  // Ends it without a word, and starts it again, empty.
  void stop();
  void start();

  // One command, answered.
  state::redis::Reply call(const state::redis::Command& command);

 private:
  bool try_to_start();
  bool connect();

  const Kind kind_;
  TemporaryFolder folder_;
  int port_ = 0;
  int pid_ = -1;
  int socket_ = -1;
  std::unique_ptr<state::redis::ReplyReader> reader_;
};

// Three masters that share the slots.
class RedisCluster {
 public:
  RedisCluster();
  RedisServer& node(size_t index) { return *nodes_[index]; }

 private:
  std::vector<std::unique_ptr<RedisServer>> nodes_;
};

}  // namespace saslatch::testing

#endif  // SASLATCH_TESTS_DAEMON_STATE_REDIS_REDIS_SERVER_H_
