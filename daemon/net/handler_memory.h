#ifndef SASLATCH_DAEMON_NET_HANDLER_MEMORY_H_
#define SASLATCH_DAEMON_NET_HANDLER_MEMORY_H_

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace saslatch::net {

// Room for one operation of Asio, there beforehand, so that it can be begun when no memory is left.
// A second one at the same time, and what does not fit, is allocated. Belongs to what the
// operation's handler keeps alive; used on one event loop.
class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* take(size_t size) {
    if (in_use_ || size > bytes_.size()) return ::operator new(size);
    in_use_ = true;
    return bytes_.data();
  }
  void give_back(void* memory) {
    if (memory == bytes_.data())
      in_use_ = false;
    else
      ::operator delete(memory);
  }

 private:
  alignas(
      std::max_align_t) std::array<std::byte, 256> bytes_;  // of Asio 1.74 a wait takes about 130
  bool in_use_ = false;
};

template <typename T>
class HandlerAllocator {
 public:
  using value_type = T;
  explicit HandlerAllocator(HandlerMemory& memory) : memory_(&memory) {}
  template <typename U>
  HandlerAllocator(const HandlerAllocator<U>& other)  // NOLINT: rebinding is implicit
      : memory_(other.memory_) {}
  T* allocate(size_t count) { return static_cast<T*>(memory_->take(count * sizeof(T))); }
  void deallocate(T* memory, size_t) { memory_->give_back(memory); }
  template <typename U>
  bool operator==(const HandlerAllocator<U>& other) const {
    return memory_ == other.memory_;
  }

 private:
  template <typename U>
  friend class HandlerAllocator;
  HandlerMemory* memory_;
};

// A handler whose operation lies in `memory`.
template <typename Handler>
class InMemory {
 public:
  using allocator_type = HandlerAllocator<char>;
  InMemory(HandlerMemory& memory, Handler handler)
      : memory_(&memory), handler_(std::move(handler)) {}
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(*memory_); }
  template <typename... Arguments>
  void operator()(Arguments&&... arguments) {
    handler_(std::forward<Arguments>(arguments)...);
  }

 private:
  HandlerMemory* memory_;
  Handler handler_;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_HANDLER_MEMORY_H_
