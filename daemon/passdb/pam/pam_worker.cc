#include "daemon/passdb/pam/pam_worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace saslatch::passdb {
namespace {

std::string system_text(int error) { return std::generic_category().message(error); }

class Actions {
 public:
  Actions() { posix_spawn_file_actions_init(&actions_); }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// Signals as a program expects them: those of ours are blocked or ignored.
class Attributes {
 public:
  Attributes() {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<std::unique_ptr<PamWorker>> PamWorker::start(const std::vector<std::string>& command) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return failure("a worker cannot be reached: " + system_text(errno));
  }
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  Actions actions;
  const Attributes attributes;
  posix_spawn_file_actions_adddup2(actions.get(), ends[1], STDIN_FILENO);
  posix_spawn_file_actions_addclosefrom_np(actions.get(), STDERR_FILENO + 1);
  pid_t process = 0;
  const int error = posix_spawn(&process, words.front(), actions.get(), attributes.get(),
                                words.data(), environment);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return failure(command.front() + " cannot be started: " + system_text(error));
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return std::unique_ptr<PamWorker>(new PamWorker(ends[0], process));
}

Result<std::unique_ptr<PamWorker>> PamWorker::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return failure(path + " is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  const int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (stream < 0) return failure(path + ": " + system_text(errno));
  // A UNIX socket connects at once, or its queue is full (EAGAIN).
  if (::connect(stream, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    close(stream);
    return failure(path + ": " + system_text(error));
  }
  return std::unique_ptr<PamWorker>(new PamWorker(stream, 0));
}

PamWorker::~PamWorker() {
  close(stream_);
  if (process_ == 0) return;
  kill(process_, SIGKILL);
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool PamWorker::is_alive() const {
  // Nothing is to be read before a question: what can be is the end.
  pollfd look{stream_, POLLIN | POLLRDHUP, 0};
  return poll(&look, 1, 0) == 0;
}

JobEnd PamWorker::move(bool sends, char* bytes, size_t size, const Waiter& waiter, Time deadline) {
  while (size > 0) {
    const ssize_t moved =
        sends ? send(stream_, bytes, size, MSG_NOSIGNAL) : recv(stream_, bytes, size, 0);
    if (moved > 0) {
      bytes += moved;
      size -= static_cast<size_t>(moved);
      continue;
    }
    if (moved < 0 && errno == EINTR) continue;
    if (moved == 0 || errno != EAGAIN) {
      return {JobEnd::Kind::kLost, "a worker that asks PAM has ended"};
    }
    switch (waiter.wait(stream_, sends ? POLLOUT : POLLIN, deadline)) {
      case Waiter::Woke::kReady:
        continue;
      case Waiter::Woke::kTimedOut:
        return {JobEnd::Kind::kTimedOut, "PAM gave no answer in time"};
      case Waiter::Woke::kStopped:
        return {JobEnd::Kind::kTimedOut, "it is being stopped"};
    }
  }
  return {};
}

JobEnd PamWorker::ask(const Secret& frame, PamAnswer& answer, const Waiter& waiter, Time deadline) {
  const auto bytes = frame.reveal();
  // send(2) does not write into it.
  JobEnd end = move(true, const_cast<char*>(bytes.data()), bytes.size(), waiter, deadline);
  if (end.kind != JobEnd::Kind::kAnswered) return end;
  char header[kPamHeader];
  end = move(false, header, sizeof header, waiter, deadline);
  if (end.kind != JobEnd::Kind::kAnswered) return end;
  const auto size = frame_size({header, sizeof header});
  if (!size) return {JobEnd::Kind::kLost, size.error().message};
  std::string text(*size, '\0');
  end = move(false, text.data(), text.size(), waiter, deadline);
  if (end.kind != JobEnd::Kind::kAnswered) return end;
  auto decoded = decode_answer(text);
  if (!decoded) return {JobEnd::Kind::kLost, decoded.error().message};
  answer = *std::move(decoded);
  return {};
}

}  // namespace saslatch::passdb
