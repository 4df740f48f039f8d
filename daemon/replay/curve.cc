#include "daemon/replay/curve.h"

#include <algorithm>
#include <cmath>

namespace saslatch::replay {
std::vector<uint32_t> limits_around(uint32_t limit, bool few) {
  std::vector<uint32_t> limits;
  size_t number = 0;
  for (const double factor : {1.0, 0.25, 0.5, 0.75, 2.0, 1.5, 3.0, 5.0, 8.0}) {
    if (few && number++ % 2 == 1) continue;
    const double scaled = static_cast<double>(limit) * factor;
    limits.push_back(std::clamp<uint32_t>(static_cast<uint32_t>(std::llround(scaled)), 1,
                                          policy::kMaxLimitEvents));
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

std::vector<Curve> curves(const policy::Settings& settings, const Summary& summary,
                          const Replayable& log, size_t many,
                          const std::function<void(uint64_t, uint64_t)>& progress) {
  std::vector<const RuleFigures*> rules;
  for (const RuleFigures& rule : summary.rules)
    if (rule.refused > 0) rules.push_back(&rule);
  std::stable_sort(rules.begin(), rules.end(), [](const RuleFigures* a, const RuleFigures* b) {
    return a->refused > b->refused;
  });
  const uint64_t affordable = kCurveAttempts / std::max<uint64_t>(log.spool.size(), 1);
  const bool few = affordable < 9;
  many = std::min<uint64_t>(many, std::max<uint64_t>(affordable / 9, 1));
  if (rules.size() > many) rules.resize(many);

  std::vector<Curve> found;
  std::vector<Trial> trials;
  for (const RuleFigures* rule : rules) {
    const auto of = std::find_if(settings.rules.begin(), settings.rules.end(),
                                 [&](const policy::Rule& r) { return r.name == rule->name; });
    Curve curve;
    curve.rule = rule->name;
    curve.limit = of->limit;
    for (const uint32_t limit : limits_around(of->limit.events, few)) {
      if (limit == of->limit.events) curve.current = curve.points.size();
      curve.points.push_back({limit, 0, 0});
      Trial& trial = trials.emplace_back();
      trial.settings = settings;
      for (policy::Rule& varied : trial.settings.rules)
        if (varied.name == curve.rule) varied.limit.events = limit;
    }
    found.push_back(std::move(curve));
  }
  run_trials(log, {}, trials, progress);
  auto trial = trials.begin();
  for (Curve& curve : found) {
    for (CurvePoint& point : curve.points) {
      point.owners_refused = trial->owners_refused;
      point.guesses_let = trial->guesses_let;
      ++trial;
    }
    curve.knee = knee_of(curve.points);
  }
  return found;
}

}  // namespace saslatch::replay
