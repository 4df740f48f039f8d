#include "daemon/replay/replay.h"

#include <memory>
#include <utility>

#include "daemon/replay/read_ahead.h"
#include "daemon/replay/words.h"

namespace saslatch::replay {
namespace {

// A judge and a tally of one policy.
struct Bench {
  explicit Bench(const Candidate& candidate, Zone& zone)
      : normalise(candidate.normalise),
        judge(candidate.settings),
        tally(candidate.settings, zone) {}
  const Normalise& normalise;
  Judge judge;
  Tally tally;
};

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
  Assembler assembler;
  Bench first(options.policy, zone);
  std::unique_ptr<Bench> second;
  if (options.other) second = std::make_unique<Bench>(*options.other, zone);
  std::unique_ptr<Replayable> own;
  if (options.curves > 0 && options.keep == nullptr)
    own = std::make_unique<Replayable>(options.policy.settings);
  Replayable* const log = own ? own.get() : options.keep;
  Leftovers names;  // that are not allowed
  bool shows_hashes = false;

  const auto decide = [&](const Attempt& attempt) {
    std::string user;
    if (attempt.names_user) {
      auto normal = first.normalise(attempt.user);
      if (!normal) {
        names.add(Unusable::kNoName, stream.reports()[attempt.file].path, attempt.line,
                  attempt.user);
        return;
      }
      user = std::move(*normal);
    }
    shows_hashes = shows_hashes || (attempt.origin == Origin::kAuth && attempt.password);
    const Judged judged = first.judge.judge(attempt, user);
    first.tally.add(attempt, user, judged);
    if (options.on_decision) options.on_decision(attempt, judged);
    if (log != nullptr) log->add(attempt, user);
    if (!second) return;
    // A name that only the other policy refuses unseen is refused by it.
    Judged other;
    const auto name = attempt.names_user ? second->normalise(attempt.user) : std::string();
    if (name) {
      other = second->judge.judge(attempt, *name);
      second->tally.add(attempt, *name, other);
    } else {
      other.decision = Decision::kRefuse;
    }
    const bool ok = attempt.result == Result::kOk;
    ++(ok ? findings.difference.owners
          : findings.difference
                .failed)[judged.decision == Decision::kRefuse][other.decision == Decision::kRefuse];
  };

  constexpr uint64_t kProgressEvery = 4096;
  {
    ReadAhead facts(stream);
    Located located;
    uint64_t read = 0;
    while (facts.next(located)) {
      assembler.feed(std::move(located));
      while (const auto attempt = assembler.next()) decide(*attempt);
      if (options.on_progress && ++read % kProgressEvery == 0)
        options.on_progress(facts.bytes_read(), stream.bytes_in_all(), false);
    }
  }
  assembler.finish();
  while (const auto attempt = assembler.next()) decide(*attempt);

  findings.policy = options.policy.name;
  findings.summary = first.tally.summary();
  if (second) {
    findings.other = options.other->name;
    findings.other_summary = second->tally.summary();
  }
  findings.files = stream.reports();
  findings.leftovers = stream.leftovers();
  findings.leftovers.add(names, Unusable::kNoName);
  findings.assembly = assembler.figures();
  findings.zone = zone.name();
  findings.caveats = caveats_of(options.policy.settings, findings.summary, shows_hashes);
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
