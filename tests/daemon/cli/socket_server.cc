#include "tests/daemon/cli/socket_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace saslatch::cli {

SocketServer::SocketServer(const std::string& path, MakePeer make_peer)
    : make_peer_(std::move(make_peer)),
      listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) std::abort();
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 8) != 0 || ::pipe2(stop_, O_CLOEXEC) != 0) {
    std::abort();
  }
  thread_ = std::thread([this] { run(); });
}

SocketServer::~SocketServer() {
  ::close(stop_[1]);
  thread_.join();
  ::close(stop_[0]);
  ::close(listener_);
}

bool SocketServer::wait_for(int descriptor) const {
  std::array<pollfd, 2> entries{{{descriptor, POLLIN, 0}, {stop_[0], POLLIN, 0}}};
  ::poll(entries.data(), entries.size(), -1);
  return entries[1].revents == 0;
}

void SocketServer::run() {
  while (wait_for(listener_)) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serve(connection);
    ::close(connection);
  }
}

void SocketServer::serve(int connection) {
  const auto peer = make_peer_();
  const auto send = [connection](const std::string& bytes) {
    return ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  };
  if (!send(peer->greet())) return;
  std::array<char, 4096> buffer;
  while (!peer->is_over() && wait_for(connection)) {
    const ssize_t got = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (got <= 0) return;
    if (!send(peer->receive({buffer.data(), static_cast<size_t>(got)}))) return;
  }
}

}  // namespace saslatch::cli
