#ifndef SASLATCH_TESTS_DAEMON_STATE_REDIS_REDIS_SERVER_H_
#define SASLATCH_TESTS_DAEMON_STATE_REDIS_REDIS_SERVER_H_

#include <string>

#include "daemon/state/redis/resp.h"
#include "tests/daemon/net/temporary_folder.h"

namespace saslatch::testing {

// A real redis-server of the test's own, on a Unix socket in a folder of its own, that stores
// nothing. It ends with this object.
class RedisServer {
 public:
  RedisServer();
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // False where Debian's redis-tools are not installed.
  [[nodiscard]] static bool is_installed();

  [[nodiscard]] std::string path() const { return folder_ / "redis.sock"; }
  // Ends it without a word, and starts it again, empty.
  void stop();
  void start();

  // One command, answered.
  state::redis::Reply call(const state::redis::Command& command);

 private:
  bool connect();

  TemporaryFolder folder_;
  int pid_ = -1;
  int socket_ = -1;
  std::unique_ptr<state::redis::ReplyReader> reader_;
};

}  // namespace saslatch::testing

#endif  // SASLATCH_TESTS_DAEMON_STATE_REDIS_REDIS_SERVER_H_
