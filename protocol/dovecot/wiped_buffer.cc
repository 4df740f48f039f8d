#include "protocol/dovecot/wiped_buffer.h"

#include <algorithm>
#include <cstring>

namespace saslatch::dovecot {
namespace {

constexpr size_t kFirstCapacity = 512;  // a usual AUTH line has 100 to 300 bytes
constexpr size_t kKeptCapacity = 2048;  // more than this is given back as soon as it is empty

}  // namespace

void WipedBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t used = size();
  if (capacity_ - end_ < bytes.size()) {
    if (capacity_ - used >= bytes.size()) {
      std::memmove(data_.get(), data_.get() + begin_, used);
      wipe(data_.get() + used, end_ - used);
    } else {
      const size_t capacity = std::max({kFirstCapacity, capacity_ * 2, used + bytes.size()});
      auto grown = std::make_unique_for_overwrite<char[]>(capacity);
      if (used != 0) std::memcpy(grown.get(), data_.get() + begin_, used);
      wipe(data_.get() + begin_, used);
      data_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }
  std::memcpy(data_.get() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
}

void WipedBuffer::consume(size_t count) {
  wipe(data_.get() + begin_, count);
  begin_ += count;
  if (begin_ != end_) return;
  begin_ = end_ = 0;
  if (capacity_ > kKeptCapacity) {
    data_.reset();
    capacity_ = 0;
  }
}

}  // namespace saslatch::dovecot
