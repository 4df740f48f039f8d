#ifndef SASLATCH_TESTS_BENCH_LOAD_H_
#define SASLATCH_TESTS_BENCH_LOAD_H_

#include <cstdint>
#include <string>

#include "protocol/base/result.h"
#include "tests/bench/latency.h"
#include "tests/bench/options.h"

namespace saslatch::bench {

// What a run saw. A login whose answer was outstanding when the time was up is in none of the
// counts.
struct Report {
  uint64_t ok = 0;
  uint64_t fail = 0;
  uint64_t unexpected = 0;  // of ok and fail: a wrong password accepted, a right one refused
  uint64_t lost = 0;        // the connection ended, broke the protocol or timed out first
  std::string first_loss;   // why the first was lost
  Duration wall{0};
  double server_cpu_seconds = 0;  // of all --server-pid, during `wall`
  double own_cpu_seconds = 0;     // near `wall`: the load was the bottleneck, not the server
  Latencies latencies;            // from request, or with --reconnect from connect(), to the answer

  [[nodiscard]] uint64_t answered() const { return ok + fail; }
};

// Runs the load in this thread until it is over. The connections are opened first, so that the
// clock measures logins only, unless each login has its own. Error: no server there, or a server
// that takes no login at all.
Result<Report> run_load(const Options& options);

// True if login number `index` shall have a wrong password: `percent` of every 100 in a row, evenly
// spread, the same in each run.
bool is_wrong(uint64_t index, unsigned percent);

std::string as_text(const Options& options, const Report& report);
std::string as_json(const Options& options, const Report& report);

}  // namespace saslatch::bench

#endif  // SASLATCH_TESTS_BENCH_LOAD_H_
