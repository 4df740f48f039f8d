#ifndef SASLATCH_PROTOCOL_DOVECOT_WIPED_BUFFER_H_
#define SASLATCH_PROTOCOL_DOVECOT_WIPED_BUFFER_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include "protocol/base/secret.h"

namespace saslatch::dovecot {

// A queue of bytes through which passwords pass: appended at the end, taken from the front. What
// was taken, and what growing leaves behind, is overwritten at once. Holds no memory worth
// mentioning while empty, as thousands of idle connections have one each.
class WipedBuffer {
 public:
  WipedBuffer() = default;
  ~WipedBuffer() { wipe(data_.get() + begin_, end_ - begin_); }
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;

  void append(std::string_view bytes);

  // The bytes queued, borrowed until the next append() or consume().
  [[nodiscard]] std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] size_t size() const { return end_ - begin_; }

  // Takes the first `count` bytes out; `count` is not above size().
  void consume(size_t count);

 private:
  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_WIPED_BUFFER_H_
