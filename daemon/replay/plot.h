#ifndef SASLATCH_DAEMON_REPLAY_PLOT_H_
#define SASLATCH_DAEMON_REPLAY_PLOT_H_

#include <string>
#include <string_view>
#include <vector>

#include "daemon/replay/curve.h"
#include "daemon/replay/tally.h"

namespace saslatch::replay {

// Pictures of a report, each a whole <svg> element that needs nothing else: no script, no font, no
// style sheet but the colours' classes of html_report.cc. Pure.

// `text`, which may be anything, as the content of an element or of a quoted attribute: no markup,
// no control bytes, nothing that turns the direction of text, valid UTF-8.
std::string html_text(std::string_view text);

// One stack of a picture over time.
struct Series {
  std::string name;
  std::string colour;            // a CSS colour
  std::vector<uint64_t> values;  // one a bar
};

// Stacked bars. `starts` are their moments, `width` what each stands for; ticks are local times.
std::string stacked_bars(const std::vector<Time>& starts, policy::Duration width,
                         const std::vector<Series>& series, Zone& zone, std::string_view title);

// Owners refused against guesses let through, a dot for each limit; the policy's own and the knee
// are marked.
std::string trade_off(const Curve& curve, std::string_view title);

// Hours by weekdays; the darker the more. `many` of each cell.
std::string heat_map(const std::array<std::array<uint64_t, 24>, 7>& many, std::string_view colour,
                     std::string_view title);

// A small swatch and a name for each series.
std::string legend(const std::vector<Series>& series);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_PLOT_H_
