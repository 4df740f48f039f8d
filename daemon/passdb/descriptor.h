#ifndef SASLATCH_DAEMON_PASSDB_DESCRIPTOR_H_
#define SASLATCH_DAEMON_PASSDB_DESCRIPTOR_H_

#include <unistd.h>

namespace saslatch::passdb {

// Closes a file descriptor at its end; a negative one is none. (net's own listens and moves.)
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_DESCRIPTOR_H_
