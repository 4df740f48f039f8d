#ifndef SASLATCH_TESTS_PLUGIN_AUTH_DAEMON_H_
#define SASLATCH_TESTS_PLUGIN_AUTH_DAEMON_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <string>

#include "tests/daemon/net/temporary_folder.h"

namespace saslatch::plugin {

// An auth server in a process of its own, so that it can be killed, stopped and started again under
// a plugin that is in use. It runs the real mechanisms. The password of NAME is "secret of NAME";
// some names have a way of their own:
//   tired, banned, disabled, expired   FAIL with temp_fail, authz_fail, user_disabled, pass_expired
//   busy      the connection is closed in place of an answer
//   silent    no answer
//   late      no answer until some other request of the connection is or was cancelled
//   mapped    OK with user=somebody@example.com
//   nul       OK with a NUL byte in the name
class AuthDaemon {
 public:
  AuthDaemon();
  ~AuthDaemon();
  AuthDaemon(const AuthDaemon&) = delete;
  AuthDaemon& operator=(const AuthDaemon&) = delete;

  void start();
  void kill();
  // It keeps its sockets and does nothing, until resume().
  void suspend() const;
  void resume() const;

  [[nodiscard]] std::string socket() const { return folder_ / "auth"; }

  // What it has seen, over all its lives.
  [[nodiscard]] int connections() const { return seen_->connections; }
  [[nodiscard]] int requests() const { return seen_->requests; }
  [[nodiscard]] int verified() const { return seen_->verified; }
  [[nodiscard]] int cancelled() const { return seen_->cancelled; }
  // The parameters of the last AUTH: "service=smtp rip=192.0.2.1 rport=... lip=... lport=...
  // secured nologin".
  [[nodiscard]] std::string last_request() const { return seen_->last; }
  // Whether `count` of them are cancelled and verified by now, or within twenty seconds.
  [[nodiscard]] bool has_cancelled(int count) const;
  [[nodiscard]] bool has_verified(int count) const;

 private:
  friend class AuthPeer;
  struct Seen {
    std::atomic<int> connections, requests, verified, cancelled;
    char last[1024];
  };

  testing::TemporaryFolder folder_;
  Seen* seen_;  // shared with the process
  pid_t process_ = 0;
};

}  // namespace saslatch::plugin

#endif  // SASLATCH_TESTS_PLUGIN_AUTH_DAEMON_H_
