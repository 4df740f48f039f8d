#include "tests/lack_of_memory.h"

#include <cstdlib>
#include <new>

namespace {

struct Plan {
  bool in_force = false;
  size_t spared = 0;
  size_t many = 0;
  size_t failed = 0;
};
thread_local Plan plan;

void* allocate(std::size_t size) noexcept {
  if (plan.in_force) {
    if (plan.spared > 0) {
      --plan.spared;
    } else if (plan.many > 0) {
      --plan.many;
      ++plan.failed;
      return nullptr;
    }
  }
  return std::malloc(size == 0 ? 1 : size);
}

void* allocate_or_throw(std::size_t size) {
  void* const memory = allocate(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// All of those that the library would pair with its own: a sanitizer looks for pairs.
void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace saslatch::testing {

LackOfMemory::LackOfMemory(size_t spared, size_t many) { plan = {true, spared, many, 0}; }
LackOfMemory::~LackOfMemory() { plan.in_force = false; }
size_t LackOfMemory::failed() const { return plan.failed; }

}  // namespace saslatch::testing
