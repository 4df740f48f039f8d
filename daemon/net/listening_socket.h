#ifndef SASLATCH_DAEMON_NET_LISTENING_SOCKET_H_
#define SASLATCH_DAEMON_NET_LISTENING_SOCKET_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/result.h"

namespace saslatch::net {

// Clients that may wait to be accepted: a mail server connects with all its processes in the same
// moment after a restart.
inline constexpr int kBacklog = 4096;

// A file descriptor, closed when this object ends.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release();
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct UnixAddress {
  std::string path;
  mode_t mode = 0660;
  // Set after the socket is made and before it can be found; absent: as created.
  std::optional<uid_t> owner = {};
  std::optional<gid_t> group = {};

  friend bool operator==(const UnixAddress&, const UnixAddress&) = default;
};

struct TcpAddress {
  std::string host;  // a numeric address, without brackets
  uint16_t port = 0;

  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};

using SocketAddress = std::variant<UnixAddress, TcpAddress>;

// A path, or host:port with brackets around an IPv6 host.
std::string to_string(const SocketAddress& address);

// A socket that listens. One that was made here and lies in the file system is unlinked at the end,
// if it is still the one at its path; an inherited one never is.
class ListeningSocket {
 public:
  // Binds under a name of its own, sets mode and owner, listens, and only then moves to `path`:
  // nobody ever finds it half made, and a stale socket of an earlier run is replaced without a
  // moment in which the path has no listener. A path on which another process answers, or that is
  // no socket, is an error and left alone.
  static Result<ListeningSocket> open(const SocketAddress& address);

  // Takes over a descriptor of the service manager.
  static ListeningSocket inherited(FileDescriptor fd);

  ListeningSocket(ListeningSocket&&) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ~ListeningSocket();

  [[nodiscard]] int get() const { return fd_.get(); }

 private:
  explicit ListeningSocket(FileDescriptor fd) : fd_(std::move(fd)) {}
  void unlink_own();

  FileDescriptor fd_;
  std::string path_;  // empty: nothing to unlink
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// A descriptor that the service manager passed (sd_listen_fds(3)).
struct InheritedSocket {
  FileDescriptor fd;
  std::string name;                      // FileDescriptorName=
  std::optional<SocketAddress> address;  // what it is bound to; mode and owner are not told
};

// All of them, once: clears the environment, so that no child takes them for its own.
std::vector<InheritedSocket> inherited_sockets();

// True if both name the same place, mode and owner aside.
bool is_same_place(const SocketAddress& a, const SocketAddress& b);

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_LISTENING_SOCKET_H_
