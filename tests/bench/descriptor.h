#ifndef SASLATCH_TESTS_BENCH_DESCRIPTOR_H_
#define SASLATCH_TESTS_BENCH_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

#include "protocol/base/result.h"
#include "tests/bench/options.h"

namespace saslatch::bench {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    Descriptor(std::move(other));  // closes what was ours, now
    return *this;
  }

  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// A connected, non-blocking socket to the server of `options`. Waits for a server whose queue of
// connections is full, but no longer than options.timeout.
Result<Descriptor> connect_to(const Options& options);

// Listens at a UNIX socket; what stands there already is replaced.
Result<Descriptor> listen_at(const std::string& path);

}  // namespace saslatch::bench

#endif  // SASLATCH_TESTS_BENCH_DESCRIPTOR_H_
