#ifndef SASLATCH_DAEMON_PASSWORD_HASH_MEMORY_H_
#define SASLATCH_DAEMON_PASSWORD_HASH_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace saslatch::password {

// The memory that Argon2 works in.
//
// libsodium maps memory for each hash, has the kernel fill it in small pages at once, and unmaps
// it. With 64 MiB that is a quarter of the hash's time; small pages cost the hash itself another
// quarter (docs/PERFORMANCE.md has the figures); and while the kernel fills them, every thread of
// the process whose heap has to grow waits: an event loop up to 60 ms. libsodium has no way to be
// given memory, and the libraries that have are twice as slow. So its mmap() is answered here: the
// program's own mmap() and munmap() come before the C library's for every shared library
// (ld.so(8)), and hand all calls on but those of a thread that has memory to lend. Where that does
// not work (static linking, a sanitizer, a 32-bit system), libsodium maps as it always does, and
// nothing else changes.
//
// A thread that hashes for a living keeps the memory between hashes, wiped after each.

// From now on the calling thread keeps the memory of its largest hash until
// release_hash_memory() or its end.
void keep_hash_memory();

// Gives back what the calling thread keeps; the next hash gets it anew.
void release_hash_memory();

// Lends memory to the next hash of this thread, and takes it back, wiped. One at a time a thread.
class LentHashMemory {
 public:
  explicit LentHashMemory(uint64_t kib);
  ~LentHashMemory();
  LentHashMemory(const LentHashMemory&) = delete;
  LentHashMemory& operator=(const LentHashMemory&) = delete;

  // False: there is no memory for this hash now. Do not compute it: libsodium would call a right
  // password wrong.
  [[nodiscard]] bool is_available() const { return is_available_; }

 private:
  bool is_available_;
};

// Whether so much could be mapped at this moment. Touches nothing.
[[nodiscard]] bool can_be_mapped(uint64_t kib);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_HASH_MEMORY_H_
