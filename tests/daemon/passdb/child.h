#ifndef SASLATCH_TESTS_DAEMON_PASSDB_CHILD_H_
#define SASLATCH_TESTS_DAEMON_PASSDB_CHILD_H_

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace saslatch::passdb {

// Runs `body` in a process of its own; what it returns is the exit code (-1: it died).
inline int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr uid_t kNobody = 65534;

// The same without root's rights, so that modes of files hold. Who is not root stays himself.
inline int as_nobody(const std::function<int()>& body) {
  return in_child([&body] {
    if (geteuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) return 99;
    return body();
  });
}

}  // namespace saslatch::passdb

#endif  // SASLATCH_TESTS_DAEMON_PASSDB_CHILD_H_
