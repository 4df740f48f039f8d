#include "daemon/replay/replay.h"

#include <exception>
#include <memory>
#include <utility>

#include "daemon/replay/pipe.h"
#include "daemon/replay/words.h"

namespace saslatch::replay {
namespace {

// An attempt on its way through the threads: it is read, judged and counted by one each.
struct Passing {
  Attempt attempt;
  std::string user;                  // normalised
  std::optional<std::string> other;  // as the other policy has it; absent: not allowed
  uint64_t bytes = 0;                // read of the logs so far
  Judged judged;
  Judged other_judged;
};

// Makes attempts of the lines, with the names that the policies count.
class Reading {
 public:
  Reading(FactStream& stream, const Options& options) : stream_(stream), options_(options) {}

  void run(Pipe<Passing>& out) {
    Located located;
    uint64_t facts = 0;
    while (stream_.next(located)) {
      assembler_.feed(std::move(located));
      if (facts++ % kLookEvery == 0) bytes_ = stream_.bytes_read();
      if (!pass_on(out)) return;
    }
    assembler_.finish();
    pass_on(out);
  }

  // When run() is over.
  [[nodiscard]] const Assembler& assembler() const { return assembler_; }
  [[nodiscard]] const Leftovers& names() const { return names_; }
  [[nodiscard]] bool shows_hashes() const { return shows_hashes_; }

 private:
  static constexpr uint64_t kLookEvery = 512;  // it asks the file system

  // False: nobody wants more.
  bool pass_on(Pipe<Passing>& out) {
    while (auto attempt = assembler_.next()) {
      Passing* passing = out.fill();
      if (passing == nullptr) return false;
      passing->user.clear();
      if (attempt->names_user) {
        auto normal = options_.policy.normalise(attempt->user);
        if (!normal) {
          names_.add(Unusable::kNoName, stream_.reports()[attempt->file].path, attempt->line,
                     attempt->user);
          out.unfill();
          continue;
        }
        passing->user = *normal;
      }
      if (options_.other)
        passing->other = attempt->names_user ? options_.other->normalise(attempt->user)
                                             : std::optional<std::string>(std::in_place);
      shows_hashes_ = shows_hashes_ || (attempt->origin == Origin::kAuth && attempt->password);
      passing->attempt = std::move(*attempt);
      passing->bytes = bytes_;
    }
    return true;
  }

  FactStream& stream_;
  const Options& options_;
  Assembler assembler_;
  Leftovers names_;  // that are not allowed
  bool shows_hashes_ = false;
  uint64_t bytes_ = 0;
};

// Puts attempts to the policies.
void judge_all(const Options& options, Pipe<Passing>& in, Pipe<Passing>& out) {
  Judge judge(options.policy.settings);
  std::optional<Judge> other;
  if (options.other) other.emplace(options.other->settings);
  while (Passing* passing = in.next()) {
    passing->judged = judge.judge(passing->attempt, passing->user);
    if (other) {
      passing->other_judged = Judged();
      // A name that only the other policy refuses unseen is refused by it.
      if (passing->other) {
        passing->other_judged = other->judge(passing->attempt, *passing->other);
      } else {
        passing->other_judged.decision = Decision::kRefuse;
      }
    }
    Passing* judged = out.fill();
    if (judged == nullptr) return;
    std::swap(*judged, *passing);
  }
}

// Runs a stage that writes to `out`, and ends it.
template <typename Stage>
void run_stage(Stage stage, Pipe<Passing>& out) {
  std::exception_ptr trouble;
  try {
    stage();
  } catch (...) {
    trouble = std::current_exception();
  }
  out.finish(trouble);
}

std::vector<std::string> file_warnings(const std::vector<FileReport>& files, const Zone& zone) {
  std::vector<std::string> warnings;
  bool guessed = false, zoned = false;
  for (const FileReport& file : files) {
    if (!file.damage.empty())
      warnings.push_back(file.path + " ends early, behind line " + std::to_string(file.lines) +
                         ": " + file.damage);
    if (file.facts == 0 && file.damage.empty())
      warnings.push_back(file.path + " has " + many(file.lines, "line") +
                         " and no attempt to log in");
    if (file.beyond_written)
      warnings.push_back(file.path +
                         " has times after it was last written: its stamps have no year, and the "
                         "guess is wrong (a copy with a new date? `cp -p` and `touch -d` keep or "
                         "give one)");
    guessed = guessed || file.guessed_year;
    zoned = zoned || file.used_zone;
  }
  if (guessed)
    warnings.push_back("syslog stamps have no year: it was taken from the dates of the files");
  if (zoned)
    warnings.push_back("stamps without a time zone were read as " + zone.name() +
                       " (another: TZ=Europe/Berlin saslatch policy replay ...)");
  return warnings;
}

}  // namespace

Findings replay(FactStream& stream, const Options& options, Zone& zone) {
  Findings findings;
  Tally tally(options.policy.settings, zone);
  std::optional<Tally> other_tally;
  if (options.other) other_tally.emplace(options.other->settings, zone);
  std::unique_ptr<Replayable> own;
  if (options.curves > 0 && options.keep == nullptr)
    own = std::make_unique<Replayable>(options.policy.settings);
  Replayable* const log = own ? own.get() : options.keep;

  const auto count = [&](const Passing& passing) {
    const Attempt& attempt = passing.attempt;
    tally.add(attempt, passing.user, passing.judged);
    if (options.on_decision) options.on_decision(attempt, passing.judged);
    if (log != nullptr) log->add(attempt, passing.user);
    if (!other_tally) return;
    if (passing.other) other_tally->add(attempt, *passing.other, passing.other_judged);
    const bool ok = attempt.result == Result::kOk;
    auto& square = ok ? findings.difference.owners : findings.difference.failed;
    ++square[passing.judged.decision == Decision::kRefuse]
            [passing.other_judged.decision == Decision::kRefuse];
  };

  constexpr uint64_t kProgressEvery = 4096;
  Reading reading(stream, options);
  {
    Pipe<Passing> read;
    Pipe<Passing> judged;
    const Worker reader([&] { run_stage([&] { reading.run(read); }, read); }, [&] { read.stop(); });
    const Worker judge([&] { run_stage([&] { judge_all(options, read, judged); }, judged); },
                       [&] {
                         read.stop();
                         judged.stop();
                       });
    uint64_t counted = 0;
    while (const Passing* passing = judged.next()) {
      count(*passing);
      if (options.on_progress && ++counted % kProgressEvery == 0)
        options.on_progress(passing->bytes, stream.bytes_in_all(), false);
    }
  }

  findings.policy = options.policy.name;
  findings.summary = tally.summary();
  if (other_tally) {
    findings.other = options.other->name;
    findings.other_summary = other_tally->summary();
  }
  findings.files = stream.reports();
  findings.leftovers = stream.leftovers();
  findings.leftovers.add(reading.names(), Unusable::kNoName);
  findings.assembly = reading.assembler().figures();
  findings.zone = zone.name();
  findings.caveats = caveats_of(options.policy.settings, findings.summary, reading.shows_hashes());
  findings.warnings = file_warnings(findings.files, zone);
  if (log != nullptr) log->spool.finish();
  if (options.curves == 0) return findings;
  findings.curve_trouble = log->spool.trouble();
  if (!findings.curve_trouble.empty()) return findings;
  findings.curves = curves(options.policy.settings, findings.summary, *log, options.curves,
                           [&](uint64_t done, uint64_t all) {
                             if (options.on_progress) options.on_progress(done, all, true);
                           });
  return findings;
}

}  // namespace saslatch::replay
