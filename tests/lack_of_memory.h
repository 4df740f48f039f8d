#ifndef SASLATCH_TESTS_LACK_OF_MEMORY_H_
#define SASLATCH_TESTS_LACK_OF_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace saslatch::testing {

// While it lives, some allocations of the thread that made it throw std::bad_alloc: after the first
// `spared` ones the next `many`. Others' are let alone. One at a time on a thread.
class LackOfMemory {
 public:
  explicit LackOfMemory(size_t spared, size_t many = SIZE_MAX);
  ~LackOfMemory();
  LackOfMemory(const LackOfMemory&) = delete;
  LackOfMemory& operator=(const LackOfMemory&) = delete;

  // How many have failed on this thread; 0: what was tried needed no more than was spared.
  [[nodiscard]] size_t failed() const;
};

}  // namespace saslatch::testing

#endif  // SASLATCH_TESTS_LACK_OF_MEMORY_H_
