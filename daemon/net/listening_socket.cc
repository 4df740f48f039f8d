#include "daemon/net/listening_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace saslatch::net {
namespace {

// SD_LISTEN_FDS_START of sd_listen_fds(3).
constexpr int kFirstInherited = 3;
// More inherited sockets than any set-up has; bounds a nonsensical LISTEN_FDS.
constexpr int kMostInherited = 256;

std::string reason(const std::string& what) { return what + ": " + std::strerror(errno); }

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return failure("socket " + path + ": the path has " + std::to_string(path.size()) +
                   " bytes; accepted: at most " + std::to_string(sizeof address.sun_path - 1));
  }
  path.copy(address.sun_path, path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

FileDescriptor stream_socket(int family) {
  return FileDescriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Whether something may be put in the place of `path`.
Result<void> check_replaceable(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return failure(reason("socket " + path));
  }
  if (!S_ISSOCK(found.st_mode)) {
    return failure("socket " + path + ": there is already a file that is no socket; remove it");
  }
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  const FileDescriptor probe = stream_socket(AF_UNIX);
  // EAGAIN: somebody listens, and his backlog is full.
  if (probe && (connect(probe.get(), generic(*address), sizeof *address) == 0 || errno == EAGAIN)) {
    return failure("socket " + path +
                   ": another process answers there; stop it or choose another path");
  }
  return {};
}

Result<FileDescriptor> bind_unix(const UnixAddress& where, const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  FileDescriptor fd = stream_socket(AF_UNIX);
  if (!fd) return failure(reason("socket " + where.path));
  unlink(path.c_str());
  // Nobody but us until mode and owner are as configured.
  const mode_t previous = umask(0177);
  const int bound = bind(fd.get(), generic(*address), sizeof *address);
  umask(previous);
  if (bound != 0) return failure(reason("cannot create socket " + where.path));
  if ((where.owner || where.group) &&
      lchown(path.c_str(), where.owner.value_or(static_cast<uid_t>(-1)),
             where.group.value_or(static_cast<gid_t>(-1))) != 0) {
    auto error = failure(reason("cannot set owner and group of socket " + where.path) +
                         "; start as root, or leave owner and group out");
    unlink(path.c_str());
    return error;
  }
  if (chmod(path.c_str(), where.mode) != 0 || listen(fd.get(), kBacklog) != 0) {
    auto error = failure(reason("cannot set up socket " + where.path));
    unlink(path.c_str());
    return error;
  }
  return fd;
}

Result<FileDescriptor> bind_tcp(const TcpAddress& where) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, where.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(where.port);
    size = sizeof *v4;
  } else if (inet_pton(AF_INET6, where.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(where.port);
    size = sizeof *v6;
  } else {
    return failure("'" + where.host + "' is no numeric address");
  }
  const std::string name = to_string(SocketAddress(where));
  FileDescriptor fd = stream_socket(storage.ss_family);
  if (!fd) return failure(reason("socket " + name));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (storage.ss_family == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return failure(reason("cannot listen on " + name));
  }
  return fd;
}

std::optional<SocketAddress> bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  char host[INET6_ADDRSTRLEN];
  if (storage.ss_family == AF_UNIX) {
    const auto* const address = reinterpret_cast<const sockaddr_un*>(&storage);
    const size_t longest = size - offsetof(sockaddr_un, sun_path);
    return UnixAddress{.path = std::string(address->sun_path, strnlen(address->sun_path, longest))};
  }
  if (storage.ss_family == AF_INET) {
    const auto* const address = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    return TcpAddress{host, ntohs(address->sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto* const address = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
    return TcpAddress{host, ntohs(address->sin6_port)};
  }
  return std::nullopt;
}

int number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return 0;
  int value = 0;
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  return error == std::errc() && rest == end ? value : 0;
}

}  // namespace

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.release();
  }
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

int FileDescriptor::release() { return std::exchange(fd_, -1); }

std::string to_string(const SocketAddress& address) {
  if (const auto* const local = std::get_if<UnixAddress>(&address)) return local->path;
  const auto& tcp = std::get<TcpAddress>(address);
  const bool v6 = tcp.host.find(':') != std::string::npos;
  return (v6 ? "[" + tcp.host + "]" : tcp.host) + ":" + std::to_string(tcp.port);
}

bool is_same_place(const SocketAddress& a, const SocketAddress& b) {
  const auto* const local = std::get_if<UnixAddress>(&a);
  const auto* const other = std::get_if<UnixAddress>(&b);
  if (local != nullptr && other != nullptr) return local->path == other->path;
  return a == b;
}

Result<ListeningSocket> ListeningSocket::open(const SocketAddress& address) {
  if (const auto* const tcp = std::get_if<TcpAddress>(&address)) {
    auto fd = bind_tcp(*tcp);
    if (!fd) return tl::unexpected(fd.error());
    return ListeningSocket(std::move(*fd));
  }
  const auto& where = std::get<UnixAddress>(address);
  if (const auto free = check_replaceable(where.path); !free) {
    return tl::unexpected(free.error());
  }
  const std::string making = where.path + ".new";
  auto fd = bind_unix(where, making);
  if (!fd) return tl::unexpected(fd.error());
  struct stat made {};
  if (lstat(making.c_str(), &made) != 0 || rename(making.c_str(), where.path.c_str()) != 0) {
    auto error = failure(reason("cannot create socket " + where.path));
    unlink(making.c_str());
    return error;
  }
  ListeningSocket socket(std::move(*fd));
  socket.path_ = where.path;
  socket.device_ = made.st_dev;
  socket.inode_ = made.st_ino;
  return socket;
}

ListeningSocket ListeningSocket::inherited(FileDescriptor fd) {
  return ListeningSocket(std::move(fd));
}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  if (this != &other) {
    unlink_own();
    fd_ = std::move(other.fd_);
    path_ = std::exchange(other.path_, {});
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

ListeningSocket::~ListeningSocket() { unlink_own(); }

void ListeningSocket::unlink_own() {
  struct stat found {};
  if (!fd_ || path_.empty() || lstat(path_.c_str(), &found) != 0) return;
  if (found.st_dev == device_ && found.st_ino == inode_) unlink(path_.c_str());
}

std::vector<InheritedSocket> inherited_sockets() {
  std::vector<InheritedSocket> sockets;
  const bool are_ours = number_in("LISTEN_PID") == getpid();
  const int count = are_ours ? std::clamp(number_in("LISTEN_FDS"), 0, kMostInherited) : 0;
  const char* const text = are_ours ? std::getenv("LISTEN_FDNAMES") : nullptr;
  std::string names = text == nullptr ? "" : text;
  for (int i = 0; i < count; ++i) {
    InheritedSocket socket;
    socket.fd = FileDescriptor(kFirstInherited + i);
    const size_t colon = names.find(':');
    socket.name = names.substr(0, colon);
    names = colon == std::string::npos ? "" : names.substr(colon + 1);
    socket.address = bound_address(socket.fd.get());
    fcntl(socket.fd.get(), F_SETFD, FD_CLOEXEC);
    fcntl(socket.fd.get(), F_SETFL, fcntl(socket.fd.get(), F_GETFL) | O_NONBLOCK);
    sockets.push_back(std::move(socket));
  }
  for (const char* const variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    unsetenv(variable);
  }
  return sockets;
}

}  // namespace saslatch::net
