#ifndef SASLATCH_PLUGIN_SOCKET_H_
#define SASLATCH_PLUGIN_SOCKET_H_

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace saslatch::plugin {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// One connected UNIX stream socket, close-on-exec and non-blocking. Raises no SIGPIPE. Every call
// may be made from any thread at any time; closed when the last owner lets go.
class Socket {
 public:
  // Connects, as far as it takes until `deadline`. An Error tells path and cause.
  static Result<std::shared_ptr<Socket>> connect(const std::string& path, Deadline deadline);

  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // What one read or write did without waiting.
  struct Progress {
    size_t bytes = 0;
    bool is_over = false;  // the peer has closed, or the socket is broken
  };
  Progress send(std::string_view bytes) const;
  Progress receive(char* buffer, size_t size) const;

  // Return when there is something to read, or room to write, or the connection is broken, or at
  // `deadline`.
  void wait_readable(Deadline deadline) const;
  void wait_writable(Deadline deadline) const;

  // Ends the connection in both directions, whoever waits on it; the descriptor stays ours, so
  // that no other file can take its number meanwhile.
  void shut_down() const;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  // Tells this socket from every other file that may ever have the same descriptor.
  [[nodiscard]] ino_t inode() const { return inode_; }

 private:
  explicit Socket(int descriptor);

  int descriptor_;
  ino_t inode_ = 0;
};

// The descriptor of a connection as a forked child finds it, where it must not trust anything that
// a lock protects: the thread that held the lock does not exist there.
class DescriptorNote {
 public:
  void set(const Socket& socket);
  void clear() { descriptor_.store(-1); }
  // Closes the child's copy, if that is still the very socket noted. The parent's goes on.
  void close_copy();

 private:
  std::atomic<int> descriptor_ = -1;
  std::atomic<ino_t> inode_ = 0;
};

}  // namespace saslatch::plugin

#endif  // SASLATCH_PLUGIN_SOCKET_H_
