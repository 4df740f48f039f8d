#include "protocol/base/secret.h"

#include <string.h>

#include <utility>

namespace saslatch {

void wipe(void* data, size_t size) noexcept {
  if (size != 0) explicit_bzero(data, size);
}

void wipe(std::string& text) noexcept {
  // Within the capacity, so that nothing is allocated and what an earlier, longer value left behind
  // the end goes too.
  text.resize(text.capacity());
  wipe(text.data(), text.size());
  text.clear();
}

Secret::Secret(std::string_view bytes) : size_(bytes.size()) {
  if (size_ == 0) return;
  bytes_ = std::make_unique_for_overwrite<char[]>(size_);
  bytes.copy(bytes_.get(), size_);
}

Secret Secret::take(std::string& bytes) {
  Secret secret(bytes);
  wipe(bytes);
  return secret;
}

Secret::~Secret() { clear(); }

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    clear();
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void Secret::clear() noexcept {
  if (!bytes_) return;
  wipe(bytes_.get(), size_);
  bytes_.reset();
  size_ = 0;
}

}  // namespace saslatch
