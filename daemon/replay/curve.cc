#include "daemon/replay/curve.h"

#include <algorithm>

namespace saslatch::replay {
namespace {

CurvePoint replayed(const policy::Settings& settings, const KnownPairs& known, Spool& spool) {
  CurvePoint point;
  Judge judge(settings);
  spool.rewind();
  Attempt attempt;
  while (spool.next(attempt)) {
    const Judged judged = judge.judge(attempt, attempt.user);
    const bool refused = judged.decision == Decision::kRefuse;
    if (attempt.result == Result::kOk) {
      point.owners_refused += refused ? 1 : 0;
    } else if (!refused && !known.knows(attempt, attempt.user)) {
      ++point.guesses_let;
    }
  }
  return point;
}

}  // namespace

std::vector<uint32_t> limits_around(uint32_t limit, bool few) {
  std::vector<uint32_t> limits;
  size_t number = 0;
  for (const double factor : {1.0, 0.25, 0.5, 0.75, 2.0, 1.5, 3.0, 5.0, 8.0}) {
    if (few && number++ % 2 == 1) continue;
    const double scaled = static_cast<double>(limit) * factor;
    limits.push_back(
        std::clamp<uint32_t>(static_cast<uint32_t>(scaled + 0.5), 1, policy::kMaxLimitEvents));
  }
  std::sort(limits.begin(), limits.end());
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  return limits;
}

std::optional<size_t> knee_of(const std::vector<CurvePoint>& points) {
  if (points.size() < 3) return std::nullopt;
  const CurvePoint& strict = points.front();
  const CurvePoint& loose = points.back();
  const double width =
      static_cast<double>(strict.owners_refused) - static_cast<double>(loose.owners_refused);
  const double height =
      static_cast<double>(loose.guesses_let) - static_cast<double>(strict.guesses_let);
  if (width <= 0 || height <= 0) return std::nullopt;
  std::optional<size_t> knee;
  double farthest = 0.05;  // less is a line
  for (size_t i = 0; i < points.size(); ++i) {
    const double x = (static_cast<double>(points[i].owners_refused) -
                      static_cast<double>(loose.owners_refused)) /
                     width;
    const double y =
        (static_cast<double>(points[i].guesses_let) - static_cast<double>(strict.guesses_let)) /
        height;
    const double below = 1 - x - y;
    if (below <= farthest) continue;
    farthest = below;
    knee = i;
  }
  return knee;
}

uint64_t KnownPairs::key(const Attempt& attempt, std::string_view user) const {
  uint64_t from = 1;
  if (attempt.rip)
    from = hash_of(attempt.rip->masked(attempt.rip->is_v4() ? ipv4_prefix_ : ipv6_prefix_).bytes());
  // Where no name is known, a network from which anybody logs in is not a guesser's.
  return attempt.names_user ? hash_of(user, from) : from;
}

void KnownPairs::add(const Attempt& attempt, std::string_view user) {
  if (attempt.result != Result::kOk || keys_.size() >= 2 * Tally::kMaxPairs) return;
  keys_.insert(key(attempt, user));
  Attempt unnamed;
  unnamed.rip = attempt.rip;
  keys_.insert(key(unnamed, {}));
}

bool KnownPairs::knows(const Attempt& attempt, std::string_view user) const {
  return keys_.count(key(attempt, user)) > 0;
}

std::vector<Curve> curves(const policy::Settings& settings, const Summary& summary,
                          const KnownPairs& known, Spool& spool, size_t many,
                          const std::function<void(size_t, size_t)>& progress) {
  std::vector<const RuleFigures*> rules;
  for (const RuleFigures& rule : summary.rules)
    if (rule.refused > 0) rules.push_back(&rule);
  std::stable_sort(rules.begin(), rules.end(), [](const RuleFigures* a, const RuleFigures* b) {
    return a->refused > b->refused;
  });
  const uint64_t affordable = kCurveAttempts / std::max<uint64_t>(spool.size(), 1);
  const bool few = affordable < 9;
  many = std::min<uint64_t>(many, std::max<uint64_t>(affordable / 9, 1));
  if (rules.size() > many) rules.resize(many);

  std::vector<Curve> found;
  size_t all = 0;
  for (const RuleFigures* rule : rules) {
    const auto of = std::find_if(settings.rules.begin(), settings.rules.end(),
                                 [&](const policy::Rule& r) { return r.name == rule->name; });
    Curve curve;
    curve.rule = rule->name;
    curve.limit = of->limit;
    for (const uint32_t limit : limits_around(of->limit.events, few)) {
      if (limit == of->limit.events) curve.current = curve.points.size();
      curve.points.push_back({limit, 0, 0});
    }
    all += curve.points.size();
    found.push_back(std::move(curve));
  }
  size_t done = 0;
  for (Curve& curve : found) {
    for (CurvePoint& point : curve.points) {
      policy::Settings varied = settings;
      for (policy::Rule& rule : varied.rules)
        if (rule.name == curve.rule) rule.limit.events = point.limit;
      const uint32_t limit = point.limit;
      point = replayed(varied, known, spool);
      point.limit = limit;
      progress(++done, all);
    }
    curve.knee = knee_of(curve.points);
  }
  return found;
}

}  // namespace saslatch::replay
