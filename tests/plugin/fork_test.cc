// fork() after sasl_server_init, with the connection in use.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "tests/plugin/application.h"
#include "tests/plugin/auth_daemon.h"

namespace saslatch::plugin {
namespace {

// Runs `work` in a child; the child ends with what it returns.
template <typename Work>
pid_t in_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  return child;
}

int exit_code(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

size_t open_sockets() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ++count;
  }
  return count;
}

class Fork : public ::testing::Test {
 protected:
  Fork() { daemon.start(); }

  // As in_child() needs it: 0 when both kinds of login end as they should.
  static int try_logins(const std::string& user) {
    Session right, wrong;
    if (right.plain(user, secret_of(user)) != SASL_OK || right.username() != user) return 1;
    if (wrong.login(user, "wrong") != SASL_BADAUTH) return 2;
    return 0;
  }

  AuthDaemon daemon;
  Application application{{{"saslatch_socket", daemon.socket()}}};
};

TEST_F(Fork, GivesTwoHundredChildrenTheirOwnConnections) {
  constexpr int kChildren = 200, kAtOnce = 20;
  ASSERT_EQ(try_logins("parent"), 0);
  for (int done = 0; done < kChildren; done += kAtOnce) {
    std::vector<pid_t> children;
    for (int i = 0; i < kAtOnce; ++i) {
      children.push_back(in_child([&] { return try_logins("child" + std::to_string(done + i)); }));
    }
    EXPECT_EQ(try_logins("parent"), 0);
    for (const pid_t child : children) EXPECT_EQ(exit_code(child), 0);
  }
  EXPECT_EQ(daemon.connections(), 1 + kChildren);
}

TEST_F(Fork, WithThreadsInTheMidstOfLogins) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "a child of many threads may wait for ever for the sanitizer's own allocator";
#endif
  std::atomic<bool> stop = false;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      while (!stop) failed += try_logins("thread" + std::to_string(t)) != 0;
    });
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(exit_code(in_child([] { return try_logins("child"); })), 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
}

TEST_F(Fork, LeavesTheParentsConnectionToTheParent) {
  ASSERT_EQ(try_logins("parent"), 0);
  const size_t before = open_sockets();
  const pid_t child = in_child([&] {
    if (try_logins("child") != 0) return 1;
    return open_sockets() == before ? 0 : 2;  // its own in place of the parent's
  });
  EXPECT_EQ(exit_code(child), 0);
  EXPECT_EQ(try_logins("parent"), 0);
  EXPECT_EQ(daemon.connections(), 2);
}

TEST_F(Fork, DoesNotCloseWhatTheChildHasOpenedInItsPlace) {
  ASSERT_EQ(try_logins("parent"), 0);
  const pid_t child = in_child([] {
    for (int fd = 3; fd < 100; ++fd) ::close(fd);  // as a daemon does that cleans up
    std::vector<int> opened;
    for (int i = 0; i < 20; ++i) opened.push_back(::open("/dev/null", O_RDONLY));
    if (const int code = try_logins("child"); code != 0) return code;
    for (const int fd : opened) {
      struct stat status {};
      if (::fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode)) return 3;
    }
    return 0;
  });
  EXPECT_EQ(exit_code(child), 0);
}

TEST_F(Fork, InMidExchangeIsATemporaryFailureInTheChildOnly) {
  Session session;
  ASSERT_EQ(session.start("LOGIN"), SASL_CONTINUE);
  EXPECT_EQ(exit_code(in_child([&session] {
              return session.step("alice") == SASL_UNAVAIL ? try_logins("child") : 3;
            })),
            0);
  ASSERT_EQ(session.step("alice"), SASL_CONTINUE);
  EXPECT_EQ(session.step(secret_of("alice")), SASL_OK);
}

TEST_F(Fork, LetsAChildEndTheLibrary) {
  ASSERT_EQ(try_logins("parent"), 0);
  EXPECT_EQ(exit_code(in_child([] {
              sasl_done();
              return 0;
            })),
            0);
  EXPECT_EQ(try_logins("parent"), 0);
  EXPECT_EQ(daemon.connections(), 1);
}

TEST_F(Fork, ReachesGrandchildren) {
  ASSERT_EQ(try_logins("parent"), 0);
  EXPECT_EQ(exit_code(in_child([] {
              if (const int code = try_logins("child"); code != 0) return code;
              return exit_code(in_child([] { return try_logins("grandchild"); }));
            })),
            0);
  EXPECT_EQ(daemon.connections(), 3);
}

TEST_F(Fork, LetsNoDescriptorThroughExec) {
  ASSERT_EQ(try_logins("parent"), 0);
  // A socket in the new program would be listed as socket:[inode].
  EXPECT_NE(::system("ls -l /proc/self/fd | grep -q socket:"), 0);
}

}  // namespace
}  // namespace saslatch::plugin
