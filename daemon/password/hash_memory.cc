#include "daemon/password/hash_memory.h"

#include <sodium.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// The sanitizers have an mmap() of their own; SYS_mmap takes these arguments on 64 bits only.
#if defined(__LP64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SASLATCH_LENDS_HASH_MEMORY 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#undef SASLATCH_LENDS_HASH_MEMORY
#endif
#endif

namespace saslatch::password {
namespace {

// Where huge pages begin on x86-64, and on arm64 with pages of 4 KiB. Kernels before 6.7 do not
// place a mapping so by themselves.
constexpr size_t kHugePage = size_t{2} * 1024 * 1024;

class Memory;

// Who answers the calling thread's mmap(), null but during a hash. Without a constructor, since any
// mapping of the program looks at it.
constinit thread_local Memory* lender = nullptr;

// What one thread has mapped for its hashes.
class Memory {
 public:
  ~Memory() { release(); }

  void keep() { is_kept_ = true; }

  bool lend(size_t size) {
    if (size_ < size) {
      release();
      if (!map(size)) return false;
    }
    lent_size_ = size;
    state_ = State::kOffered;
    lender = this;
    return true;
  }

  void take_back() {
    lender = nullptr;
    if (state_ != State::kOffered) sodium_memzero(base_, lent_size_);
    state_ = State::kIdle;
    if (!is_kept_) release();
  }

  void release() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_size_);
    mapped_ = base_ = nullptr;
    mapped_size_ = size_ = 0;
  }

  // A mapping's request: null if it has to be a mapping of its own.
  void* answer(size_t size) {
    if (state_ != State::kOffered || size > lent_size_) return nullptr;
    state_ = State::kInUse;
    return base_;
  }

  bool is_answered_with(const void* address) {
    if (state_ != State::kInUse || address != base_) return false;
    state_ = State::kReturned;
    return true;
  }

 private:
  enum class State { kIdle, kOffered, kInUse, kReturned };

  bool map(size_t size) {
    const size_t slack = size < kHugePage ? 0 : kHugePage;
    void* const mapped =
        mmap(nullptr, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return false;
    mapped_ = mapped;
    mapped_size_ = size + slack;
    auto* const bytes = static_cast<unsigned char*>(mapped);
    const size_t past = reinterpret_cast<uintptr_t>(mapped) % kHugePage;
    base_ = slack == 0 || past == 0 ? bytes : bytes + (kHugePage - past);
    size_ = size;
    // Advice: without it the hash is slower, or in a core file, and else the same.
    madvise(mapped_, mapped_size_, MADV_HUGEPAGE);
    madvise(mapped_, mapped_size_, MADV_DONTDUMP);
    return true;
  }

  bool is_kept_ = false;
  State state_ = State::kIdle;
  void* mapped_ = nullptr;  // as the kernel gave it, mapped_size_ bytes
  size_t mapped_size_ = 0;
  void* base_ = nullptr;  // where what is lent begins, size_ bytes
  size_t size_ = 0;
  size_t lent_size_ = 0;
};

thread_local Memory memory;

}  // namespace

void keep_hash_memory() { memory.keep(); }

void release_hash_memory() { memory.release(); }

bool can_be_mapped(uint64_t kib) {
  if (kib == 0) return true;
  void* const mapped =
      mmap(nullptr, kib * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return false;
  munmap(mapped, kib * 1024);
  return true;
}

#if SASLATCH_LENDS_HASH_MEMORY

LentHashMemory::LentHashMemory(uint64_t kib) : is_available_(memory.lend(kib * 1024)) {}

LentHashMemory::~LentHashMemory() {
  if (is_available_) memory.take_back();
}

#else

LentHashMemory::LentHashMemory(uint64_t kib) : is_available_(can_be_mapped(kib)) {}

LentHashMemory::~LentHashMemory() = default;

#endif

}  // namespace saslatch::password

#if SASLATCH_LENDS_HASH_MEMORY

// The process's mmap() and munmap(), but for what the C library calls within itself.
extern "C" {

void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  if (saslatch::password::lender != nullptr && fd == -1 && address == nullptr) {
    if (void* const lent = saslatch::password::lender->answer(size)) return lent;
  }
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a system call returns a long
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}

int munmap(void* address, size_t size) noexcept {
  using saslatch::password::lender;
  if (lender != nullptr && lender->is_answered_with(address)) return 0;
  return static_cast<int>(syscall(SYS_munmap, address, size));
}
}

#endif
