#include "plugin/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace saslatch::plugin {
namespace {

// An application may have closed its standard descriptors; what it prints must not reach us.
constexpr int kLowestDescriptor = 3;

std::chrono::microseconds time_left(Deadline deadline) {
  return std::max(std::chrono::microseconds(0),
                  std::chrono::ceil<std::chrono::microseconds>(deadline - Clock::now()));
}

ino_t inode_of(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

// Negative if there is none to be had.
int open_descriptor() {
  const int first = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (first < 0 || first >= kLowestDescriptor) return first;
  const int moved = ::fcntl(first, F_DUPFD_CLOEXEC, kLowestDescriptor);
  ::close(first);
  return moved;
}

void set_send_timeout(int descriptor, std::chrono::microseconds timeout) {
  timeval value{};
  value.tv_sec = timeout.count() / 1'000'000;
  value.tv_usec = timeout.count() % 1'000'000;
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
}

// 0, or an errno value; ETIMEDOUT when the deadline has passed.
int connect_until(int descriptor, const sockaddr_un& address, Deadline deadline) {
  for (;;) {
    // Where the daemon's backlog is full, connect() waits for room: at most the send timeout.
    const auto left = time_left(deadline);
    if (left.count() == 0) return ETIMEDOUT;
    set_send_timeout(descriptor, left);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return 0;
    }
    if (errno != EINTR && errno != EAGAIN) return errno;
  }
}

void wait(int descriptor, short events, Deadline deadline) {
  for (;;) {
    // Rounded up: at the deadline there is one look more, not a busy last millisecond.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time_left(deadline));
    pollfd poll_for{descriptor, events, 0};
    if (::poll(&poll_for, 1, static_cast<int>(left.count())) >= 0 || errno != EINTR) return;
  }
}

Socket::Progress progress_of(ssize_t result) {
  if (result > 0) return {static_cast<size_t>(result), false};
  const bool again = result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return {0, !again};
}

}  // namespace

Result<std::shared_ptr<Socket>> Socket::connect(const std::string& path, Deadline deadline) {
  const auto trouble = [&path](int error) {
    return failure("cannot connect to " + path + ": " + std::generic_category().message(error));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return trouble(ENAMETOOLONG);
  path.copy(address.sun_path, path.size());

  const int descriptor = open_descriptor();
  if (descriptor < 0) return trouble(errno);
  const std::shared_ptr<Socket> socket(new Socket(descriptor));
  if (const int error = connect_until(descriptor, address, deadline); error != 0) {
    return trouble(error);
  }
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  return socket;
}

Socket::Socket(int descriptor) : descriptor_(descriptor), inode_(inode_of(descriptor)) {}

Socket::~Socket() { ::close(descriptor_); }

Socket::Progress Socket::send(std::string_view bytes) const {
  return progress_of(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

Socket::Progress Socket::receive(char* buffer, size_t size) const {
  return progress_of(::recv(descriptor_, buffer, size, MSG_DONTWAIT));
}

void Socket::wait_readable(Deadline deadline) const { wait(descriptor_, POLLIN, deadline); }

void Socket::wait_writable(Deadline deadline) const { wait(descriptor_, POLLOUT, deadline); }

void Socket::shut_down() const { ::shutdown(descriptor_, SHUT_RDWR); }

void DescriptorNote::set(const Socket& socket) {
  inode_.store(socket.inode());
  descriptor_.store(socket.descriptor());
}

void DescriptorNote::close_copy() {
  const int descriptor = descriptor_.exchange(-1);
  // Whoever closed it in the child (closefrom() and the like) may have given the number to a file
  // of its own.
  if (descriptor >= 0 && inode_of(descriptor) == inode_.load()) ::close(descriptor);
}

}  // namespace saslatch::plugin
