#include "daemon/replay/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "daemon/audit/safe_text.h"
#include "daemon/replay/words.h"

namespace saslatch::replay {
namespace {

// A picture's inner area, in the units of its viewBox.
constexpr double kWidth = 1000, kLeft = 64, kRight = 14;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  std::string shown = text;
  if (shown.ends_with(".0")) shown.resize(shown.size() - 2);
  return shown;
}

std::string rect(double x, double y, double width, double height, std::string_view colour,
                 std::string_view tip) {
  std::string svg = "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" +
                    number(width) + "\" height=\"" + number(height) + "\" fill=\"" +
                    std::string(colour) + "\"";
  if (tip.empty()) return svg + "/>";
  return svg + "><title>" + html_text(tip) + "</title></rect>";
}

std::string line(double x1, double y1, double x2, double y2, std::string_view css) {
  return "<line class=\"" + std::string(css) + "\" x1=\"" + number(x1) + "\" y1=\"" + number(y1) +
         "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) + "\"/>";
}

std::string text(double x, double y, std::string_view anchor, std::string_view words,
                 std::string_view css = "tick") {
  return "<text class=\"" + std::string(css) + "\" x=\"" + number(x) + "\" y=\"" + number(y) +
         "\" text-anchor=\"" + std::string(anchor) + "\">" + html_text(words) + "</text>";
}

std::string open_svg(double width, double height, std::string_view title) {
  return "<svg viewBox=\"0 0 " + number(width) + " " + number(height) +
         "\" role=\"img\" aria-label=\"" + html_text(title) + "\">";
}

// 1,234 as "1,234", 12,345 as "12k", 1,200,000 as "1.2M".
std::string short_number(double value) {
  if (value >= 1e6) return number(value / 1e6) + "M";
  if (value >= 1e4) return number(value / 1e3) + "k";
  return grouped(static_cast<uint64_t>(std::llround(value)));
}

// A step of 1, 2 or 5 times a power of ten that makes at most five of `most`.
double nice_step(double most) {
  const double raw = std::max(most, 1.0) / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw) return std::max(factor * power, 1.0);
  return std::max(10 * power, 1.0);
}

// An axis of whole steps that holds all from `least` to `most`.
struct Axis {
  explicit Axis(double most) : Axis(0, most) {}
  Axis(double least, double most) : step(nice_step(most - least)) {
    begin = std::floor(least / step) * step;
    end = std::max(std::ceil(most / step) * step, begin + step);
  }
  // Around what is between the two, with room at both ends, but no more magnified than by ten:
  // chance must not look like a trend.
  static Axis around(double least, double most) {
    const double span = std::max({most - least, most * 0.1, 10.0});
    const double middle = (least + most) / 2;
    const double begin = std::max(middle - span * 0.58, 0.0);
    return {begin, std::max(middle + span * 0.58, begin + span)};
  }
  [[nodiscard]] int ticks() const { return static_cast<int>(std::lround((end - begin) / step)); }
  [[nodiscard]] double at(int tick) const { return begin + tick * step; }

  double step;
  double begin = 0;
  double end = 0;
};

std::string y_axis(const Axis& axis, double left, double right, double top, double bottom) {
  std::string svg;
  for (int tick = 0; tick <= axis.ticks(); ++tick) {
    const double value = axis.at(tick);
    const double y = bottom - (bottom - top) * (value - axis.begin) / (axis.end - axis.begin);
    svg += line(left, y, right, y, tick == 0 ? "axis" : "grid");
    svg += text(left - 8, y + 5, "end", short_number(value));
  }
  return svg;
}

constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Moments for ticks between the two, with their names: hours, days, or months.
std::vector<std::pair<Time, std::string>> ticks(Time from, Time to, Zone& zone) {
  using namespace std::chrono;
  std::vector<std::pair<Time, std::string>> found;
  const auto span = to - from;
  constexpr int kMost = 10;
  const auto local_midnight = [&](Time at) {
    const Civil civil = civil_at(at, zone.offset_at(at));
    return zone.from_local({civil.year, civil.month, civil.day});
  };
  const auto day_name = [&](Time at) {
    const Civil civil = civil_at(at, zone.offset_at(at));
    return std::to_string(civil.day) + " " + kMonths[static_cast<size_t>(civil.month) - 1];
  };
  if (span <= hours(36)) {
    const int step_minutes = [&] {
      for (const int step : {5, 15, 30, 60, 120, 180, 240})
        if (span / minutes(step) <= kMost) return step;
      return 360;
    }();
    for (Time at = local_midnight(from); at <= to; at += minutes(step_minutes)) {
      if (at < from) continue;
      const Civil civil = civil_at(at, zone.offset_at(at));
      char name[32];
      std::snprintf(name, sizeof name, "%02d:%02d", civil.hour, civil.minute);
      found.emplace_back(at, civil.hour == 0 && civil.minute == 0 ? day_name(at) : name);
    }
    return found;
  }
  int step_days = 1;
  for (const int step : {1, 2, 3, 7, 14, 28, 56, 91, 182}) {
    step_days = step;
    if (span / days(step) <= kMost) break;
  }
  for (Time at = local_midnight(from); at <= to;
       at = local_midnight(at + days(step_days) + hours(2)))
    if (at >= from) found.emplace_back(at, day_name(at));
  return found;
}

}  // namespace

std::string html_text(std::string_view raw) {
  std::string json;
  append_json_string(raw, json);  // valid UTF-8, one line, controls and overrides spelled out
  std::string html;
  for (const char c : std::string_view(json).substr(1, json.size() - 2)) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        if (html.ends_with('\\')) html.pop_back();  // JSON's own escape
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string legend(const std::vector<Series>& series) {
  std::string html = "<p class=\"legend\">";
  for (const Series& one : series)
    html += "<span><svg class=\"swatch\" viewBox=\"0 0 12 12\" aria-hidden=\"true\">" +
            rect(0, 0, 12, 12, one.colour, "") + "</svg>" + html_text(one.name) + "</span>";
  return html + "</p>";
}

std::string stacked_bars(const std::vector<Time>& starts, policy::Duration width,
                         const std::vector<Series>& series, Zone& zone, std::string_view title) {
  constexpr double kHeight = 300, kTop = 14, kBottom = 264;
  std::string svg = open_svg(kWidth, kHeight, title);
  if (starts.empty()) return svg + text(kWidth / 2, kHeight / 2, "middle", "none") + "</svg>";
  uint64_t most = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    uint64_t sum = 0;
    for (const Series& one : series) sum += one.values[i];
    most = std::max(most, sum);
  }
  const Axis axis(static_cast<double>(most));
  svg += y_axis(axis, kLeft, kWidth - kRight, kTop, kBottom);
  const Time from = starts.front(), to = starts.back() + width;
  const auto x_of = [&](Time at) {
    const double share = static_cast<double>((at - from).count()) /
                         static_cast<double>(std::max<Time::duration>(to - from, width).count());
    return kLeft + share * (kWidth - kRight - kLeft);
  };
  for (size_t i = 0; i < starts.size(); ++i) {
    const double x = x_of(starts[i]);
    const double wide =
        std::max(x_of(starts[i] + width) - x - (starts.size() > 60 ? 0.6 : 1.5), 0.8);
    std::string tip = shown(starts[i]);
    for (const Series& one : series)
      if (one.values[i] > 0) tip += " - " + one.name + ": " + grouped(one.values[i]);
    double y = kBottom;
    for (const Series& one : series) {
      if (one.values[i] == 0) continue;
      const double high = (kBottom - kTop) * static_cast<double>(one.values[i]) / axis.end;
      y -= high;
      svg += rect(x, y, wide, high, one.colour, tip);
    }
  }
  for (const auto& [at, name] : ticks(from, to, zone)) {
    const double x = x_of(at);
    if (x > kWidth - kRight - 10) continue;
    svg += line(x, kBottom, x, kBottom + 5, "axis") + text(x, kBottom + 22, "middle", name);
  }
  return svg + "</svg>";
}

std::string trade_off(const Curve& curve, std::string_view title) {
  constexpr double kWide = 620, kHeight = 400, kTop = 18, kBottom = 340, kMargin = 84;
  std::string svg = open_svg(kWide, kHeight, title);
  const auto [fewest_owners, most_owners] = std::minmax_element(
      curve.points.begin(), curve.points.end(),
      [](const CurvePoint& a, const CurvePoint& b) { return a.owners_refused < b.owners_refused; });
  const auto [fewest_guesses, most_guesses] = std::minmax_element(
      curve.points.begin(), curve.points.end(),
      [](const CurvePoint& a, const CurvePoint& b) { return a.guesses_let < b.guesses_let; });
  const Axis across = Axis::around(static_cast<double>(fewest_owners->owners_refused),
                                   static_cast<double>(most_owners->owners_refused));
  const Axis up = Axis::around(static_cast<double>(fewest_guesses->guesses_let),
                               static_cast<double>(most_guesses->guesses_let));
  const double right = kWide - 40;
  svg += y_axis(up, kMargin, right, kTop, kBottom);
  const auto x_of = [&](double value) {
    return kMargin + (right - kMargin) * (value - across.begin) / (across.end - across.begin);
  };
  const auto y_of = [&](double value) {
    return kBottom - (kBottom - kTop) * (value - up.begin) / (up.end - up.begin);
  };
  for (int tick = 0; tick <= across.ticks(); ++tick) {
    const double value = across.at(tick);
    svg += line(x_of(value), kBottom, x_of(value), kBottom + 5, "axis");
    svg += text(x_of(value), kBottom + 22, "middle", short_number(value));
  }
  svg += text((kMargin + right) / 2, kHeight - 8, "middle", "owners' logins refused", "label");
  svg += "<text class=\"label\" transform=\"translate(18 " + number((kTop + kBottom) / 2) +
         ") rotate(-90)\" text-anchor=\"middle\">guesses let through</text>";
  std::string path;
  for (const CurvePoint& point : curve.points)
    path += (path.empty() ? "M" : "L") + number(x_of(static_cast<double>(point.owners_refused))) +
            " " + number(y_of(static_cast<double>(point.guesses_let)));
  svg += "<path class=\"curve\" d=\"" + path + "\"/>";
  for (size_t i = 0; i < curve.points.size(); ++i) {
    const CurvePoint& point = curve.points[i];
    const double x = x_of(static_cast<double>(point.owners_refused));
    const double y = y_of(static_cast<double>(point.guesses_let));
    if (i == curve.knee)
      svg += "<circle class=\"knee\" cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"12\"/>";
    svg += "<circle class=\"" + std::string(i == curve.current ? "current" : "dot") + "\" cx=\"" +
           number(x) + "\" cy=\"" + number(y) + "\" r=\"" + (i == curve.current ? "7" : "4.5") +
           "\"><title>limit " + std::to_string(point.limit) + ": " + grouped(point.owners_refused) +
           " owners' logins refused, " + grouped(point.guesses_let) +
           " guesses let through</title></circle>";
  }
  // The marked ones' names first; of the others those that have room.
  std::vector<std::pair<double, double>> named;
  const auto name_it = [&](size_t i, const std::string& name, const char* css) {
    const double x = x_of(static_cast<double>(curve.points[i].owners_refused));
    const double y = y_of(static_cast<double>(curve.points[i].guesses_let));
    for (const auto& [other_x, other_y] : named)
      if (std::abs(y - other_y) < 16 && std::abs(x - other_x) < 40) return;
    named.emplace_back(x, y);
    const bool at_right = x > right - 120;
    svg += text(at_right ? x - 15 : x + 15, y - 9, at_right ? "end" : "start", name, css);
  };
  const auto limit = [&](size_t i) { return std::to_string(curve.points[i].limit); };
  const bool same = curve.current == curve.knee;
  name_it(curve.current, limit(curve.current) + (same ? " (now, the knee)" : " (now)"), "mark");
  if (curve.knee && !same) name_it(*curve.knee, limit(*curve.knee) + " (knee)", "mark");
  for (size_t i = 0; i < curve.points.size(); ++i)
    if (i != curve.current && i != curve.knee) name_it(i, limit(i), "tick");
  return svg + "</svg>";
}

std::string heat_map(const std::array<std::array<uint64_t, 24>, 7>& many, std::string_view colour,
                     std::string_view title) {
  constexpr double kCell = 23, kGap = 2, kDays = 46, kHead = 22;
  constexpr std::array<const char*, 7> kNames = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  const double width = kDays + 24 * (kCell + kGap), height = kHead + 7 * (kCell + kGap);
  std::string svg = open_svg(width, height, title);
  uint64_t most = 1;
  for (const auto& day : many)
    for (const uint64_t cell : day) most = std::max(most, cell);
  for (size_t hour = 0; hour < 24; hour += 3)
    svg += text(kDays + static_cast<double>(hour) * (kCell + kGap) + kCell / 2, kHead - 8, "middle",
                std::to_string(hour));
  for (size_t day = 0; day < 7; ++day) {
    const double y = kHead + static_cast<double>(day) * (kCell + kGap);
    svg += text(kDays - 8, y + kCell / 2 + 5, "end", kNames[day]);
    for (size_t hour = 0; hour < 24; ++hour) {
      const uint64_t cell = many[day][hour];
      const double x = kDays + static_cast<double>(hour) * (kCell + kGap);
      svg += "<rect class=\"empty\" x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" +
             number(kCell) + "\" height=\"" + number(kCell) + "\" rx=\"3\"/>";
      if (cell == 0) continue;
      char opacity[16];
      std::snprintf(opacity, sizeof opacity, "%.3f",
                    0.06 + 0.94 * static_cast<double>(cell) / static_cast<double>(most));
      svg += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(kCell) +
             "\" height=\"" + number(kCell) + "\" rx=\"3\" fill=\"" + std::string(colour) +
             "\" fill-opacity=\"" + opacity + "\"><title>" + kNames[day] + " " +
             std::to_string(hour) + ":00 - " + grouped(cell) + "</title></rect>";
    }
  }
  return svg + "</svg>";
}

}  // namespace saslatch::replay
