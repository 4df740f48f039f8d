#include "daemon/environment.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace saslatch {
namespace {

TEST(UsableCores, AreThoseOfTheCpuSetAndNotTheMachines) {
  unsigned within_one = 0;
  std::thread([&within_one] {  // a thread's set is its own: the other tests keep theirs
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof one, &one) == 0) within_one = usable_cores();
  }).join();
  EXPECT_EQ(within_one, 1u);

  cpu_set_t mine;
  ASSERT_EQ(sched_getaffinity(0, sizeof mine, &mine), 0);
  EXPECT_EQ(usable_cores(), static_cast<unsigned>(CPU_COUNT(&mine)));
}

}  // namespace
}  // namespace saslatch
