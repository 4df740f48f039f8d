#include "tests/daemon/state/redis/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
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

// A port that nobody has at the moment: redis-server tells no other way which one it got. Another
// process may take it before; then it is tried again.
int free_port() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool is_bound =
      bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  close(probe);
  return is_bound ? ntohs(address.sin_port) : 0;
}

constexpr int kTries = 20;

// The server by another name: the one that redis-tools has, which starts no service.
constexpr const char* kProgram = "/usr/bin/redis-check-rdb";

}  // namespace

bool RedisServer::is_installed() { return access(kProgram, X_OK) == 0; }

RedisServer::RedisServer(Kind kind) : kind_(kind) { start(); }
RedisServer::~RedisServer() { stop(); }

void RedisServer::start() {
  for (int tries = 1; !try_to_start(); ++tries)
    if (kind_ == Kind::kAlone || tries == kTries)
      throw std::runtime_error("redis-server does not start");
}

bool RedisServer::try_to_start() {
  const std::string socket = path();
  const std::string folder = folder_ / "";
  const bool in_cluster = kind_ == Kind::kOfCluster;
  port_ = in_cluster ? free_port() : 0;
  const std::string port = std::to_string(port_);
  const std::string bus = std::to_string(in_cluster ? free_port() : 0);
  pid_ = fork();
  if (pid_ == 0) {
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execl(kProgram, "redis-server", "--port", port.c_str(), "--cluster-port", bus.c_str(),
          "--cluster-enabled", in_cluster ? "yes" : "no", "--bind", "127.0.0.1", "--unixsocket",
          socket.c_str(), "--save", "", "--dir", folder.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  // It says nowhere that it listens; a minute is for a machine with much else to do.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!connect()) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("redis-server does not listen");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
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

RedisCluster::RedisCluster() {
  constexpr int kNodes = 3;
  constexpr int kAllSlots = 16384;
  for (int i = 0; i < kNodes; ++i) {
    nodes_.push_back(std::make_unique<RedisServer>(RedisServer::Kind::kOfCluster));
    nodes_.back()->call({"CLUSTER", "ADDSLOTSRANGE", std::to_string(kAllSlots * i / kNodes),
                         std::to_string(kAllSlots * (i + 1) / kNodes - 1)});
  }
  // By their buses' ports, which are not where a client would look for them.
  for (int i = 1; i < kNodes; ++i) {
    const std::string bus =
        nodes_[static_cast<size_t>(i)]->call({"CONFIG", "GET", "cluster-port"}).items.at(1).text;
    nodes_[0]->call({"CLUSTER", "MEET", "127.0.0.1",
                     std::to_string(nodes_[static_cast<size_t>(i)]->port()), bus});
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (const auto& node : nodes_) {
    while (node->call({"CLUSTER", "INFO"}).text.find("cluster_state:ok") == std::string::npos ||
           node->call({"CLUSTER", "SLOTS"}).items.size() < kNodes) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("the cluster does not come together");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

}  // namespace saslatch::testing
