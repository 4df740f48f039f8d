#include "tests/daemon/state/redis/redis_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <thread>

namespace saslatch::testing {
namespace {

// The server by another name: the one that redis-tools has, which starts no service.
constexpr const char* kProgram = "/usr/bin/redis-check-rdb";

}  // namespace

bool RedisServer::is_installed() { return access(kProgram, X_OK) == 0; }

RedisServer::RedisServer() { start(); }
RedisServer::~RedisServer() { stop(); }

void RedisServer::start() {
  const std::string socket = path();
  const std::string folder = folder_ / "";
  pid_ = fork();
  if (pid_ == 0) {
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execl(kProgram, "redis-server", "--port", "0", "--unixsocket", socket.c_str(), "--save", "",
          "--dir", folder.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  // It says nowhere that it listens; a minute is for a machine with much else to do.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!connect()) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_ || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("redis-server does not start");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void RedisServer::stop() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  close(socket_);
  socket_ = -1;
  unlink(path().c_str());
}

bool RedisServer::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
  socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    reader_ = std::make_unique<state::redis::ReplyReader>();
    return true;
  }
  close(socket_);
  socket_ = -1;
  return false;
}

state::redis::Reply RedisServer::call(const state::redis::Command& command) {
  std::string bytes;
  state::redis::append_command(command, bytes);
  if (send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("redis-server takes no command");
  for (;;) {
    if (auto reply = reader_->next()) return *reply;
    char buffer[65536];
    const ssize_t got = recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) throw std::runtime_error("redis-server has gone");
    reader_->feed({buffer, static_cast<size_t>(got)});
  }
}

}  // namespace saslatch::testing
