#include "daemon/cli/descriptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "protocol/base/ip_address.h"

namespace saslatch::cli {
namespace {

union SocketAddress {
  sockaddr any;
  sockaddr_un local;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Waits for `events`; false at the deadline.
bool wait_for(const Descriptor& descriptor, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd entry{descriptor.number(), events, 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::min<int64_t>(left.count(), 1'000'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::string reason(int number) { return std::strerror(number); }

// The length of the address written to `address`, or 0 with `problem` set.
socklen_t local_address(const std::string& path, SocketAddress& address, std::string& problem) {
  if (path.size() >= sizeof address.local.sun_path) {
    problem = "the path is longer than the " + std::to_string(sizeof address.local.sun_path - 1) +
              " bytes a socket's may have";
    return 0;
  }
  address.local.sun_family = AF_UNIX;
  std::memcpy(address.local.sun_path, path.c_str(), path.size() + 1);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

socklen_t inet_address(std::string_view text, SocketAddress& address, std::string& problem) {
  const size_t colon = text.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  std::string_view host = text.substr(0, std::min(colon, text.size()));
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const auto ip = IpAddress::parse(host);
  if (!ip || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || port == 0) {
    problem = "it is neither a path with a '/' nor ADDRESS:PORT";
    return 0;
  }
  if (ip->is_v4()) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(port);
    std::memcpy(&address.v4.sin_addr, ip->bytes().data(), 4);
    return sizeof address.v4;
  }
  address.v6.sin6_family = AF_INET6;
  address.v6.sin6_port = htons(port);
  std::memcpy(&address.v6.sin6_addr, ip->bytes().data(), 16);
  return sizeof address.v6;
}

}  // namespace

tl::expected<Descriptor, ConnectError> connect_to(const std::string& address, Deadline deadline) {
  const auto failed = [&](int number, const std::string& why) {
    return tl::unexpected<ConnectError>(ConnectError{number, address + ": " + why});
  };
  SocketAddress to{};
  std::string problem;
  const socklen_t length = address.find('/') != std::string::npos
                               ? local_address(address, to, problem)
                               : inet_address(address, to, problem);
  if (length == 0) return failed(EINVAL, problem);
  Descriptor descriptor(::socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor.is_open()) return failed(errno, reason(errno));
  if (::connect(descriptor.number(), &to.any, length) == 0) return descriptor;
  if (errno != EINPROGRESS) return failed(errno, reason(errno));  // EAGAIN: its backlog is full
  if (!wait_for(descriptor, POLLOUT, deadline)) return failed(ETIMEDOUT, reason(ETIMEDOUT));
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(descriptor.number(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return failed(error, reason(error));
  return descriptor;
}

Result<void> write_all(const Descriptor& descriptor, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(descriptor, POLLOUT, deadline)) return failure("it takes no data in time");
    } else if (errno != EINTR) {
      return failure(reason(errno));
    }
  }
  return {};
}

Result<bool> read_some(const Descriptor& descriptor, std::string& into, Deadline deadline) {
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::recv(descriptor.number(), buffer.data(), buffer.size(), 0);
    if (got == 0) return false;
    if (got > 0) {
      into.append(buffer.data(), static_cast<size_t>(got));
      return true;
    }
    if (errno == EAGAIN) {
      if (!wait_for(descriptor, POLLIN, deadline)) return failure("no answer in time");
    } else if (errno != EINTR) {
      return failure(reason(errno));
    }
  }
}

}  // namespace saslatch::cli
