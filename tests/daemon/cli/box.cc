#include "tests/daemon/cli/box.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace saslatch::cli {
namespace {

// One connection of a daemon's control socket; the world is shared with the test.
class ControlPeer final : public Peer {
 public:
  ControlPeer(control::ControlWorld& world, std::mutex& mutex)
      : world_(world),
        mutex_(mutex),
        session_(control::make_peer(0, 990), world.commands(), world.now()) {}

  std::string receive(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    session_.receive(bytes, world_.now());
    return session_.take_output();
  }
  bool is_over() override { return session_.is_over(); }

 private:
  control::ControlWorld& world_;
  std::mutex& mutex_;
  control::ControlSession session_;
};

struct Pipe {
  int read = -1;
  int write = -1;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read = ends[0];
    write = ends[1];
  }
};

void drain(int out, int err, Finished& into) {
  std::array<pollfd, 2> entries{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  std::array<char, 4096> buffer;
  while (entries[0].fd >= 0 || entries[1].fd >= 0) {
    ::poll(entries.data(), entries.size(), -1);
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].revents == 0) continue;
      const ssize_t got = ::read(entries[i].fd, buffer.data(), buffer.size());
      if (got > 0) {
        (i == 0 ? into.out : into.err).append(buffer.data(), static_cast<size_t>(got));
      } else {
        entries[i].fd = -1;
      }
    }
  }
}

}  // namespace

Finished run_program(const std::string& path, const std::vector<std::string>& arguments,
                     const std::string& input) {
  Pipe in, out, err;
  // Before the program is there: one that ends without reading would leave us a SIGPIPE. Inputs of
  // tests fit into a pipe.
  [[maybe_unused]] const ssize_t written = ::write(in.write, input.data(), input.size());
  ::close(in.write);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write, STDERR_FILENO);
  std::vector<std::string> words = {path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  // Without a terminal, or /dev/tty would ask whoever runs the tests.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  const int failed =
      ::posix_spawn(&child, path.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in.read);
  ::close(out.write);
  ::close(err.write);
  Finished finished;
  drain(out.read, err.read, finished);
  ::close(out.read);
  ::close(err.read);
  int status = 0;
  if (failed == 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status)) {
    finished.exit = WEXITSTATUS(status);
  }
  return finished;
}

Finished run_on_terminal(const std::string& path, const std::vector<std::string>& arguments,
                         const std::vector<Answer>& answers) {
  std::vector<std::string> words = {path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child < 0) std::abort();
  if (child == 0) {
    ::execv(path.c_str(), argv.data());
    ::_exit(127);
  }
  Finished finished;
  std::array<char, 4096> buffer;
  size_t seen = 0;  // of the output, up to the prompt answered last
  auto answer = answers.begin();
  for (;;) {
    const ssize_t got = ::read(terminal, buffer.data(), buffer.size());
    if (got <= 0) break;  // EIO: the other side is closed
    finished.out.append(buffer.data(), static_cast<size_t>(got));
    if (answer == answers.end()) continue;
    const size_t prompt = finished.out.find(answer->prompt, seen);
    if (prompt == std::string::npos) continue;
    seen = prompt + answer->prompt.size();
    if (::write(terminal, answer->typed.data(), answer->typed.size()) < 0) break;
    ++answer;
  }
  ::close(terminal);
  int status = 0;
  if (::waitpid(child, &status, 0) == child && WIFEXITED(status)) {
    finished.exit = WEXITSTATUS(status);
  }
  return finished;
}

Box::Box() {
  std::string pattern = ::testing::TempDir() + "saslatch.XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
  for (const char* folder : {"/state", "/run", "/log"}) ::mkdir((path_ + folder).c_str(), 0700);
  configure("[daemon]");
  configure("state-dir = " + path_ + "/state");
  configure("run-dir = " + path_ + "/run");
  configure("audit-log = " + path_ + "/log/audit.jsonl");
}

Box::~Box() {
  daemon_.reset();
  auth_server_.reset();
  std::filesystem::remove_all(path_);
}

void Box::write(const std::string& name, std::string_view text) const {
  std::ofstream(path_ + "/" + name, std::ios::binary) << text;
}

void Box::configure(std::string_view line) {
  config_ += std::string(line) + "\n";
  write("saslatch.conf", config_);
}

Finished Box::saslatch(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.begin(), {"--config", path_ + "/saslatch.conf"});
  return run_program(SASLATCH_PROGRAM, arguments, input);
}

Finished Box::saslatch_on_terminal(std::vector<std::string> arguments,
                                   const std::vector<Answer>& answers) const {
  arguments.insert(arguments.begin(), {"--config", path_ + "/saslatch.conf"});
  return run_on_terminal(SASLATCH_PROGRAM, arguments, answers);
}

void Box::start_daemon() {
  daemon_ = std::make_unique<SocketServer>(path_ + "/run/control", [this] {
    const std::lock_guard lock(mutex_);
    return std::make_unique<ControlPeer>(world_, mutex_);
  });
}

void Box::start_auth_server() {
  auth_server_ = std::make_unique<SocketServer>(path_ + "/run/auth", make_auth_peer);
}

void Box::login(std::string_view user, std::string_view rip, bool right) {
  const std::lock_guard lock(mutex_);
  world_.login(user, rip, right);
}

void Box::plan_reload(control::ReloadReport report) {
  const std::lock_guard lock(mutex_);
  world_.next_reload = std::move(report);
}

}  // namespace saslatch::cli
