#ifndef SASLATCH_TESTS_BENCH_CPU_TIME_H_
#define SASLATCH_TESTS_BENCH_CPU_TIME_H_

#include <vector>

namespace saslatch::bench {

// User and system time of these processes with all their threads so far, from /proc/PID/stat, in
// steps of a clock tick (10 ms as a rule). A process that is gone counts as zero.
double cpu_seconds_of(const std::vector<int>& pids);

// The same of this process, exactly.
double own_cpu_seconds();

}  // namespace saslatch::bench

#endif  // SASLATCH_TESTS_BENCH_CPU_TIME_H_
