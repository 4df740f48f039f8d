#ifndef SASLATCH_DAEMON_REPLAY_CURVE_H_
#define SASLATCH_DAEMON_REPLAY_CURVE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/policy/settings.h"
#include "daemon/replay/tally.h"
#include "daemon/replay/trial.h"

namespace saslatch::replay {

// What becomes of owners and guesses when one rule's limit is another, all else as it is.
struct CurvePoint {
  uint32_t limit = 0;  // events in the rule's window
  uint64_t owners_refused = 0;
  uint64_t guesses_let = 0;
};

struct Curve {
  std::string rule;
  policy::Limit limit;             // as the policy has it
  std::vector<CurvePoint> points;  // by limit
  size_t current = 0;              // which one the policy has
  std::optional<size_t> knee;      // on either side of it something gets dearer; see knee_of()
};

// The limits that are tried: the rule's own, and others from a quarter to eight times as many;
// `few`: half of them.
std::vector<uint32_t> limits_around(uint32_t limit, bool few = false);

// The knee of points by limit: where the curve of guesses over owners, both scaled to [0, 1], lies
// farthest below the line through its ends (Satopaa et al., "Finding a Kneedle in a Haystack",
// 2011). None if the curve is flat or a line.
std::optional<size_t> knee_of(const std::vector<CurvePoint>& points);

// A curve for each rule that refused anything, those that refused most first, at most `many`, by
// replaying `log` once for each limit. Of a log of more than kCurveAttempts / 18 attempts there
// are fewer curves, then fewer limits, so that they take minutes and not hours. `progress` is told
// how many of all attempts are done.
constexpr uint64_t kCurveAttempts = 40'000'000;
std::vector<Curve> curves(const policy::Settings& settings, const Summary& summary,
                          const Replayable& log, size_t many,
                          const std::function<void(uint64_t done, uint64_t all)>& progress);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_CURVE_H_
