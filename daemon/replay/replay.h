#ifndef SASLATCH_DAEMON_REPLAY_REPLAY_H_
#define SASLATCH_DAEMON_REPLAY_REPLAY_H_

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/policy/settings.h"
#include "daemon/replay/assembler.h"
#include "daemon/replay/curve.h"
#include "daemon/replay/judge.h"
#include "daemon/replay/source.h"
#include "daemon/replay/tally.h"
#include "daemon/replay/trial.h"

namespace saslatch::replay {

// A policy to be tried, and the names it counts under.
struct Candidate {
  std::string name;  // for people: its file, or a preset's name
  policy::Settings settings;
  Normalise normalise;
};

// What a log cannot tell about some rules, and what that does to the figures.
struct Caveat {
  std::vector<std::string> rules;  // none: about all of them
  std::string text;
  bool blind = false;  // the rule cannot be judged at all
};

// Two policies on the same attempts.
struct Difference {
  // [whether the first refuses][whether the second does], attempts.
  using Square = std::array<std::array<uint64_t, 2>, 2>;
  Square owners{};  // that succeeded
  Square failed{};
};

// All that a replay found.
struct Findings {
  std::string policy;
  std::string other;  // --compare; empty: none
  Summary summary;
  std::optional<Summary> other_summary;
  Difference difference;
  std::vector<FileReport> files;
  Leftovers leftovers;
  Assembler::Figures assembly;
  std::vector<Caveat> caveats;
  std::vector<Curve> curves;
  std::string curve_trouble;  // why there are no curves although they were asked for
  std::string zone;
  std::vector<std::string> warnings;  // of the files, in words
};

struct Options {
  Candidate policy;
  std::optional<Candidate> other;
  size_t curves = 0;  // for at most so many rules
  // Takes all attempts for what comes after; may be null. Borrowed.
  Replayable* keep = nullptr;
  // Each attempt in order of time, as it is decided; may be empty.
  std::function<void(const Attempt&, const Judged&)> on_decision;
  // Now and then; may be empty. `done` of `all` bytes, or attempts when `curves`; `all` 0: not
  // known.
  std::function<void(uint64_t done, uint64_t all, bool curves)> on_progress;
};

// Reads `stream` to its end and judges every attempt in it. `zone` is for hours of the day.
Findings replay(FactStream& stream, const Options& options, Zone& zone);

// What the logs cannot tell, rule by rule.
std::vector<Caveat> caveats_of(const policy::Settings& settings, const Summary& summary,
                               bool shows_hashes);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_REPLAY_H_
