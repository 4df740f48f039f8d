#ifndef SASLATCH_DAEMON_CLI_DESCRIPTOR_H_
#define SASLATCH_DAEMON_CLI_DESCRIPTOR_H_

#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/base/result.h"

namespace saslatch::cli {

// Owns a file descriptor; closes it.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

// Why a socket could not be reached, as errno has it.
struct ConnectError {
  int number;
  std::string message;
};

using Deadline = std::chrono::steady_clock::time_point;

// A connected stream socket: to the UNIX socket at the path `address`, or to "ADDRESS:PORT" and
// "[ADDRESS]:PORT" where there is no '/' in it. Gives up at `deadline`. It does not block by
// itself: the two functions below wait.
tl::expected<Descriptor, ConnectError> connect_to(const std::string& address, Deadline deadline);

// Writes all of `bytes`; an error when the peer is gone or `deadline` has come.
Result<void> write_all(const Descriptor& descriptor, std::string_view bytes, Deadline deadline);

// Appends what has arrived, at least one byte, to `into`. False at the end of the stream. An error
// when `deadline` has come first.
Result<bool> read_some(const Descriptor& descriptor, std::string& into, Deadline deadline);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_DESCRIPTOR_H_
