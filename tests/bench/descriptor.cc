#include "tests/bench/descriptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace saslatch::bench {
namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return failure("socket path of " + std::to_string(path.size()) + " bytes; accepted: up to " +
                   std::to_string(sizeof address.sun_path - 1));
  }
  path.copy(address.sun_path, path.size());
  return address;
}

Result<Descriptor> connected(int family, const sockaddr* address, socklen_t size,
                             const Options& options) {
  Descriptor fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The connection is made blocking (a full queue of a UNIX socket gives no event to wait for),
  // with the send timeout as its bound.
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.timeout);
  const timeval bound{.tv_sec = static_cast<time_t>(seconds.count()), .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
  if (connect(fd.get(), address, size) != 0) {
    const std::string where =
        options.socket.empty() ? options.host + ":" + options.port : options.socket;
    return failure("cannot connect to " + where + ": " + std::strerror(errno));
  }
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

}  // namespace

Result<Descriptor> connect_to(const Options& options) {
  if (!options.socket.empty()) {
    const auto address = unix_address(options.socket);
    if (!address) return tl::unexpected(address.error());
    return connected(AF_UNIX, reinterpret_cast<const sockaddr*>(&*address), sizeof *address,
                     options);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &list);
  if (error != 0) return failure(options.host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list, freeaddrinfo);
  auto fd = connected(list->ai_family, list->ai_addr, list->ai_addrlen, options);
  const int on = 1;
  if (fd) setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Result<Descriptor> listen_at(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  unlink(path.c_str());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      listen(fd.get(), SOMAXCONN) != 0) {
    return failure("cannot listen at " + path + ": " + std::strerror(errno));
  }
  return fd;
}

}  // namespace saslatch::bench
