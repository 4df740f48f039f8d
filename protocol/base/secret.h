#ifndef SASLATCH_PROTOCOL_BASE_SECRET_H_
#define SASLATCH_PROTOCOL_BASE_SECRET_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace saslatch {

// Overwrites `size` bytes in a way the compiler may not remove.
void wipe(void* data, size_t size) noexcept;

// Overwrites the whole capacity of `text` and empties it.
void wipe(std::string& text) noexcept;

// Bytes that must not outlive their use: a password, a key, a response. Moves, does not copy, has
// no stream operator, and overwrites its memory when destroyed or assigned to. Values up to 64 KiB
// and more are kept as they are, NUL bytes included. Not thread-safe.
class Secret {
 public:
  Secret() noexcept = default;
  explicit Secret(std::string_view bytes);
  // `write(char* to)` writes `size` bytes in place, or fewer if the secret is then dropped.
  template <typename Write>
  static Secret made(size_t size, Write write) {
    Secret secret;
    if (size != 0) secret.bytes_ = std::make_unique<char[]>(size);
    secret.size_ = size;
    write(secret.bytes_.get());
    return secret;
  }
  // Takes the bytes out of `bytes` and wipes it.
  static Secret take(std::string& bytes);
  ~Secret();

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // The bytes, borrowed until this object changes. Every use of a secret is a call of this name.
  [[nodiscard]] std::string_view reveal() const noexcept { return {bytes_.get(), size_}; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] size_t size() const noexcept { return size_; }

  // A second copy, where two owners need one each.
  [[nodiscard]] Secret clone() const { return Secret(reveal()); }

 private:
  void clear() noexcept;

  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_SECRET_H_
