#include "daemon/replay/html_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "daemon/replay/plot.h"
#include "daemon/replay/words.h"

namespace saslatch::replay {
namespace {

constexpr const char* kOwner = "#a9bdcc";    // logged in
constexpr const char* kLet = "#e58a2f";      // failed and let through
constexpr const char* kRefused = "#2b6c8f";  // failed and refused
constexpr const char* kWronged = "#bf1e2e";  // an owner refused

// Told apart by people who see colours otherwise, too (Okabe and Ito, "Color Universal Design").
constexpr std::array<const char*, 8> kPalette = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                                 "#56b4e9", "#d55e00", "#6a51a3", "#8c8c8c"};

// Bars that can still be told apart.
constexpr size_t kMostBars = 48;
constexpr size_t kRows = 15;

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<style>
:root { --ink: #17222d; --soft: #566675; --rule: #dfe5ea; --paper: #f5f7f9; --card: #fff;
  --accent: #2b6c8f; --bad: #bf1e2e; --warn: #b45f06; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 64px; }
header { border-bottom: 3px solid var(--ink); padding-bottom: 18px; margin-bottom: 26px; }
.over { color: var(--soft); font-size: .85rem; letter-spacing: .08em; text-transform: uppercase;
  margin: 0 0 4px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 8px; letter-spacing: -.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 0 0 4px; }
h3 { font-size: 1rem; margin: 22px 0 6px; }
p { margin: 0 0 10px; max-width: 75ch; }
.soft, figcaption { color: var(--soft); font-size: .92rem; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 22px 24px; margin: 0 0 22px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(215px, 1fr)); gap: 14px;
  margin: 0 0 22px; }
.card { background: var(--card); border: 1px solid var(--rule); border-top: 4px solid var(--accent);
  border-radius: 8px; padding: 14px 18px 12px; }
.card b { display: block; font-size: 2rem; line-height: 1.15; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.card span { display: block; font-weight: 600; }
.card small { color: var(--soft); font-size: .87rem; }
.card.bad { border-top-color: var(--bad); } .card.bad b { color: var(--bad); }
.card.warn { border-top-color: #e58a2f; }
.words { font-size: 1.06rem; } .words p:first-child { font-weight: 600; }
figure { margin: 10px 0 0; } .wide { overflow-x: auto; } .wide > svg { min-width: 430px; }
svg { display: block; width: 100%; height: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr));
  gap: 20px 28px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; font-size: .9rem; }
.legend span { display: inline-flex; align-items: center; gap: 6px; }
svg.swatch { width: 12px; height: 12px; flex: none; }
.tick { font-size: 14px; fill: var(--soft); } .label { font-size: 15px; fill: var(--ink); }
.mark { font-size: 15px; font-weight: 650; fill: var(--ink); }
.grid { stroke: var(--rule); } .axis { stroke: #93a1ad; }
.empty { fill: #eef2f5; }
.curve { fill: none; stroke: var(--accent); stroke-width: 2.5; stroke-linejoin: round; }
.dot { fill: var(--card); stroke: var(--accent); stroke-width: 2.5; }
.current { fill: var(--accent); stroke: var(--card); stroke-width: 2; }
.knee { fill: #e58a2f; fill-opacity: .22; stroke: #e58a2f; stroke-width: 2; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; border-bottom-color: #b9c4cd; }
td.n, th.n { text-align: right; } td.bad { color: var(--bad); font-weight: 650; }
td.name { max-width: 19em; overflow: hidden; text-overflow: ellipsis; }
td.free { white-space: normal; overflow-wrap: anywhere; min-width: 14em; }
.pair th { white-space: normal; vertical-align: bottom; }
.pair th, .pair td { padding-right: 10px; }
td:last-child, th:last-child { padding-right: 0; }
ul { margin: 6px 0 0; padding-left: 1.2em; max-width: 85ch; } li { margin: 0 0 6px; }
code { font: .86em/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .87rem; }
@media (max-width: 600px) {
  main { padding: 22px 14px 40px; } section { padding: 16px 14px; } h1 { font-size: 1.5rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: 10px; } .card { padding: 10px 12px; }
  .card b { font-size: 1.5rem; }
}
@media print {
  @page { size: A4; margin: 14mm 13mm; }
  body { background: none; font-size: 10.5pt; } main { max-width: none; padding: 0; }
  section { border: 0; border-radius: 0; padding: 0; margin: 0 0 18px; }
  .cards { grid-template-columns: repeat(4, 1fr); gap: 10px; } .card { padding: 8px 10px; }
  .card b { font-size: 1.4rem; }
  section, figure, .card, tr, li { break-inside: avoid; } section.long { break-inside: auto; }
  h2, h3 { break-after: avoid; } .wide > svg { min-width: 0; }
  .scroll, .wide { overflow: visible; } .pair { grid-template-columns: 1fr 1fr; gap: 10px 18px; }
  table { font-size: 8.6pt; } th, td { padding-right: 8px; } td.name { max-width: 15em; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
</style>
)";

// Builds a table; what goes in is text, never markup.
class HtmlTable {
 public:
  struct Column {
    const char* name;
    const char* css;  // "", "n" for numbers, "free" for long text
  };
  explicit HtmlTable(std::vector<Column> columns) : columns_(std::move(columns)) {
    html_ = "<div class=\"scroll\"><table><thead><tr>";
    for (const Column& column : columns_)
      html_ += "<th class=\"" + std::string(column.css) + "\">" + html_text(column.name) + "</th>";
    html_ += "</tr></thead><tbody>";
  }
  void row(const std::vector<std::string>& cells, size_t bad = SIZE_MAX) {
    html_ += "<tr>";
    for (size_t i = 0; i < columns_.size(); ++i)
      html_ += "<td class=\"" + std::string(columns_[i].css) + (i == bad ? " bad" : "") + "\">" +
               html_text(cells[i]) + "</td>";
    html_ += "</tr>";
  }
  [[nodiscard]] std::string html() const { return html_ + "</tbody></table></div>\n"; }

 private:
  std::vector<Column> columns_;
  std::string html_;
};

// "26 Oct 2030".
std::string day_of(Time time, Zone& zone) {
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Civil civil = civil_at(time, zone.offset_at(time));
  return std::to_string(civil.day) + " " + kMonths[static_cast<size_t>(civil.month) - 1] + " " +
         std::to_string(civil.year);
}

// Sentences of words.h, their "%" kept with its number.
std::string sentence_html(const std::string& sentence) {
  std::string html = html_text(sentence);
  for (size_t at = 0; (at = html.find(" %", at)) != std::string::npos;)
    html.replace(at, 1, "\u00a0");
  return html;
}

std::string card(const std::string& value, const std::string& what, const std::string& more,
                 const char* css) {
  return "<div class=\"card " + std::string(css) + "\"><b>" + html_text(value) + "</b><span>" +
         html_text(what) + "</span><small>" + html_text(more) + "</small></div>";
}

std::string cards(const Summary& summary) {
  const Split& split = summary.split;
  std::string html = "<div class=\"cards\">";
  char rate[64];
  std::snprintf(rate, sizeof rate, "of %s, that is %.1f of 10,000", grouped(split.owners).c_str(),
                split.owners == 0 ? 0.0
                                  : static_cast<double>(split.owners_refused) * 1e4 /
                                        static_cast<double>(split.owners));
  html += card(grouped(split.owners_refused), "owners' logins refused", rate,
               split.owners_refused > 0 ? "bad" : "");
  html += card(percent(split.guesses_let(), split.guesses), "of the guesses let through",
               grouped(split.guesses_let()) + " of " + grouped(split.guesses), "warn");
  html += card(grouped(summary.attacked), "accounts guessed at",
               "from " + many(summary.attackers, "network"), "");
  const auto& until = summary.until_refused;
  html +=
      card(until.empty() ? "-" : shown(until[(until.size() - 1) / 2]), "until a guess is refused",
           until.empty() ? "none was" : "for half of " + many(until.size(), "account"), "");
  return html + "</div>\n";
}

// Bars over time: their moments and what of the buckets falls into each, without gaps.
struct Bars {
  std::vector<Time> starts;
  std::vector<Bucket> values;
  policy::Duration width{};
};

Bars bars_of(const Summary& summary) {
  Bars bars;
  if (summary.buckets.empty()) return bars;
  policy::Duration width = summary.bucket;
  std::map<int64_t, Bucket> buckets = summary.buckets;
  while (static_cast<size_t>(buckets.rbegin()->first - buckets.begin()->first) >= kMostBars) {
    const policy::Duration wider = next_width(width);
    buckets = joined(buckets, width, wider);
    width = wider;
  }
  for (int64_t i = buckets.begin()->first; i <= buckets.rbegin()->first; ++i) {
    bars.starts.emplace_back(std::chrono::duration_cast<Time::duration>(width) * i);
    const auto found = buckets.find(i);
    bars.values.push_back(found == buckets.end() ? Bucket{} : found->second);
  }
  bars.width = width;
  return bars;
}

std::string figure(const std::string& svg, const std::string& below) {
  return "<figure><div class=\"wide\">" + svg + "</div>" + below + "</figure>\n";
}

std::string attempts_over_time(const Bars& bars, Zone& zone) {
  std::vector<Series> series = {{"logged in", kOwner, {}},
                                {"failed, let through", kLet, {}},
                                {"failed, refused", kRefused, {}},
                                {"owner refused", kWronged, {}}};
  for (const Bucket& bucket : bars.values) {
    series[0].values.push_back(bucket.ok);
    series[1].values.push_back(bucket.let);
    series[2].values.push_back(bucket.refused - bucket.owners_refused);
    series[3].values.push_back(bucket.owners_refused);
  }
  return "<section><h2>Attempts over time</h2>\n<p class=\"soft\">Each bar is " +
         html_text(shown(bars.width)) +
         ". What is grey went well; orange reached the passwords; "
         "blue was turned away without a look at them.</p>" +
         figure(stacked_bars(bars.starts, bars.width, series, zone, "Attempts over time"),
                legend(series)) +
         "</section>\n";
}

std::string refused_over_time(const Bars& bars, const Summary& summary, Zone& zone) {
  std::vector<size_t> order;
  for (size_t i = 0; i < summary.rules.size(); ++i)
    if (summary.rules[i].refused > 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return summary.rules[a].refused > summary.rules[b].refused;
  });
  if (order.empty()) return "";
  std::vector<Series> series;
  std::vector<size_t> series_of(summary.rules.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) {
    const bool last = i >= kPalette.size() - 1 && order.size() > kPalette.size();
    if (!last || series.size() < kPalette.size())
      series.push_back({last ? "other rules" : summary.rules[order[i]].name,
                        kPalette[series.size()], std::vector<uint64_t>(bars.values.size())});
    series_of[order[i]] = series.size() - 1;
  }
  for (size_t i = 0; i < bars.values.size(); ++i)
    for (const auto& [rule, refused] : bars.values[i].by_rule)
      if (rule < series_of.size()) series[series_of[rule]].values[i] += refused;
  return "<section><h2>Refused, by rule</h2>\n<p class=\"soft\">The rule that struck first is the "
         "one "
         "that is counted.</p>" +
         figure(stacked_bars(bars.starts, bars.width, series, zone, "Refused over time, by rule"),
                legend(series)) +
         "</section>\n";
}

std::string curves_section(const Findings& findings) {
  if (findings.curves.empty()) {
    if (findings.curve_trouble.empty()) return "";
    return "<section><h2>Other limits</h2><p>Not tried: " + html_text(findings.curve_trouble) +
           ".</p></section>\n";
  }
  std::string html =
      "<section class=\"long\"><h2>What another limit would change</h2>\n<p class=\"soft\">One "
      "rule's "
      "limit varied, all else as it is: each dot is the whole log replayed once. Down is fewer "
      "guesses "
      "let through, left is fewer owners refused; the filled dot is the policy as it is, the ring "
      "is the "
      "knee, beyond which either costs more than it brings. The axes begin where the dots "
      "do.</p><div class=\"pair\">";
  for (const Curve& curve : findings.curves) {
    const std::string name = curve.rule + ", limit " + shown(curve.limit);
    html += "<figure><h3>" + html_text(name) + "</h3>" + trade_off(curve, name);
    HtmlTable table(
        {{"Limit", "n"}, {"Owners refused", "n"}, {"Guesses let through", "n"}, {"", ""}});
    for (size_t i = 0; i < curve.points.size(); ++i) {
      const CurvePoint& point = curve.points[i];
      std::string note = i == curve.current ? "now" : "";
      if (i == curve.knee) note += note.empty() ? "knee" : ", knee";
      table.row({std::to_string(point.limit), grouped(point.owners_refused),
                 grouped(point.guesses_let), note});
    }
    html += table.html() + "</figure>";
  }
  return html + "</div></section>\n";
}

std::string week_section(const Findings& findings) {
  std::array<std::array<uint64_t, 24>, 7> failed{}, succeeded{};
  for (size_t day = 0; day < 7; ++day) {
    for (size_t hour = 0; hour < 24; ++hour) {
      const Cell& cell = findings.summary.week[day][hour];
      failed[day][hour] = cell.failed;
      succeeded[day][hour] = cell.attempts - cell.failed;
    }
  }
  return "<section><h2>When they come</h2>\n<p class=\"soft\">By hour and weekday (" +
         html_text(findings.zone) +
         "); the darker the more, each picture by its own most.</p><div class=\"pair\">"
         "<figure><h3>Failures</h3>" +
         heat_map(failed, "#b3500b", "Failures by hour and weekday") +
         "</figure><figure><h3>Logins</h3>" +
         heat_map(succeeded, "#2b6c8f", "Logins by hour and weekday") +
         "</figure></div></section>\n";
}

std::string rules_section(const Summary& summary) {
  HtmlTable table({{"Rule", ""},
                   {"Does", ""},
                   {"Tripped", "n"},
                   {"Subjects", "n"},
                   {"Refused", "n"},
                   {"Delayed", "n"},
                   {"Owners refused", "n"}});
  for (const RuleFigures& rule : summary.rules)
    table.row({rule.name, rule.does, grouped(rule.trips), grouped(rule.subjects),
               grouped(rule.refused), grouped(rule.delayed), grouped(rule.owners_refused)},
              rule.owners_refused > 0 ? 6 : SIZE_MAX);
  return "<section><h2>Rule by rule</h2>\n" + table.html() + "</section>\n";
}

template <typename Figures>
std::string owners_table(const std::vector<Figures>& all, const char* what) {
  std::vector<const Figures*> found;
  for (const Figures& figures : all)
    if (figures.split.owners_refused > 0) found.push_back(&figures);
  std::stable_sort(found.begin(), found.end(), [](const Figures* a, const Figures* b) {
    return a->split.owners_refused > b->split.owners_refused;
  });
  HtmlTable table({{what, "name"}, {"Logins", "n"}, {"Refused", "n"}, {"Guesses", "n"}});
  for (size_t i = 0; i < std::min(found.size(), kRows); ++i)
    table.row({name_of(*found[i]), grouped(found[i]->split.owners),
               grouped(found[i]->split.owners_refused), grouped(found[i]->split.guesses)},
              2);
  return table.html();
}

std::string owners_section(const Summary& summary) {
  if (summary.split.owners_refused == 0)
    return "<section><h2>Owners refused</h2><p>None.</p></section>\n";
  return "<section class=\"long\"><h2>Owners refused</h2>\n<p class=\"soft\">Logins whose password "
         "was "
         "right. With many guesses at the account, somebody else brought it about; without any, it "
         "was a "
         "rule that is too strict, or a password that somebody stole.</p><div "
         "class=\"pair\"><div>" +
         owners_table(summary.accounts, "Account") + "</div><div>" +
         owners_table(summary.networks, "Network") + "</div></div></section>\n";
}

template <typename Figures>
std::string guesses_table(const std::vector<Figures>& all, const char* what, const char* spread,
                          uint32_t (*spread_of)(const Figures&)) {
  HtmlTable table(
      {{what, "name"}, {"Guesses", "n"}, {"Let through", "n"}, {"Share", "n"}, {spread, "n"}});
  size_t rows = 0;
  for (const Figures& figures : all) {
    const Split& split = figures.split;
    if (split.guesses == 0 || rows++ == kRows) break;
    table.row({name_of(figures), grouped(split.guesses), grouped(split.guesses_let()),
               percent(split.guesses_let(), split.guesses), grouped(spread_of(figures))});
  }
  return table.html();
}

std::string attackers_section(const Summary& summary) {
  if (summary.split.guesses == 0) return "";
  return "<section class=\"long\"><h2>Attacked and attackers</h2>\n<h3>Most attacked "
         "accounts</h3>" +
         guesses_table<AccountFigures>(summary.accounts, "Account", "Networks",
                                       [](const AccountFigures& a) { return a.networks; }) +
         "<h3>Busiest networks</h3>" +
         guesses_table<NetworkFigures>(summary.networks, "Network", "Accounts",
                                       [](const NetworkFigures& n) { return n.accounts; }) +
         "</section>\n";
}

std::string comparison_section(const Findings& findings) {
  if (!findings.other_summary) return "";
  std::string html = "<section><h2>Compared with " + html_text(findings.other) + "</h2>\n";
  for (const std::string& sentence : comparison_in_words(findings))
    html += "<p>" + sentence_html(sentence) + "</p>";
  const Split& a = findings.summary.split;
  const Split& b = findings.other_summary->split;
  HtmlTable table({{"", ""}, {findings.policy.c_str(), "n"}, {findings.other.c_str(), "n"}});
  table.row({"Logins refused", grouped(a.owners_refused), grouped(b.owners_refused)});
  table.row({"Guesses let through", grouped(a.guesses_let()), grouped(b.guesses_let())});
  table.row({"Guesses refused", grouped(a.guesses_refused), grouped(b.guesses_refused)});
  table.row({"Owners' slips refused", grouped(a.slips_refused), grouped(b.slips_refused)});
  table.row({"Answers delayed", grouped(findings.summary.delayed),
             grouped(findings.other_summary->delayed)});
  return html + table.html() + "</section>\n";
}

std::string doubts_section(const Findings& findings) {
  std::string html =
      "<section class=\"long\"><h2>What these logs cannot tell</h2>\n<p class=\"soft\">A failed "
      "attempt is "
      "taken for a guess unless its account has logged in from the same network somewhere in the "
      "logs; a "
      "login that succeeded is taken for its owner's.</p><ul>";
  for (const Caveat& caveat : findings.caveats) html += "<li>" + html_text(shown(caveat)) + "</li>";
  for (const std::string& warning : findings.warnings)
    html += "<li>" + html_text(warning) + "</li>";
  const Assembler::Figures& assembly = findings.assembly;
  if (assembly.steps_back > 0)
    html += "<li>" +
            html_text("the clock goes back " + many(assembly.steps_back, "time") + ", by up to " +
                      shown(assembly.longest_step)) +
            "</li>";
  html += "</ul>\n<h3>Lines that were not used</h3>";
  HtmlTable table({{"Kind", ""}, {"Lines", "n"}, {"Why", "free"}, {"The first of them", "free"}});
  bool all_used = true;
  for (size_t i = 0; i < kUnusables; ++i) {
    const auto kind = static_cast<Unusable>(i);
    const auto& left = findings.leftovers[kind];
    if (left.lines == 0) continue;
    all_used = false;
    table.row({std::string(to_string(kind)), grouped(left.lines), std::string(explanation(kind)),
               left.file + ":" + std::to_string(left.line) + ": " + left.example});
  }
  html += (all_used ? "<p>None.</p>" : table.html()) + "<h3>Files</h3>";
  HtmlTable files({{"File", "free"}, {"Lines", "n"}, {"Used", "n"}, {"", ""}});
  for (const FileReport& file : findings.files)
    files.row({file.path, grouped(file.lines), grouped(file.facts), file.damage});
  return html + files.html() + "</section>\n";
}

}  // namespace

std::string html_report(const Findings& findings, Zone& zone) {
  const Summary& summary = findings.summary;
  std::string html(kHead);
  html += "<title>" + html_text("Policy replay: " + findings.policy) +
          "</title>\n</head>\n<body><main>\n";
  html += "<header><p class=\"over\">saslatch policy replay</p><h1>What " +
          html_text(findings.policy) + " would have done</h1><p class=\"soft\">" +
          html_text(many(summary.attempts, "attempt") + " to log in");
  if (summary.attempts > 0)
    html += html_text(" by " + many(summary.accounts_seen, "name") + ", " +
                      day_of(summary.first, zone) + " to " + day_of(summary.last, zone) +
                      ", from " + many(findings.files.size(), "file"));
  html += "</p></header>\n";
  if (summary.attempts > 0) html += cards(summary);
  html += "<section class=\"words\">";
  for (const std::string& sentence : in_words(findings))
    html += "<p>" + sentence_html(sentence) + "</p>";
  html += "</section>\n";
  if (summary.attempts > 0) {
    const Bars bars = bars_of(summary);
    html += attempts_over_time(bars, zone) + refused_over_time(bars, summary, zone) +
            curves_section(findings) + week_section(findings) + rules_section(summary) +
            owners_section(summary) + attackers_section(summary) + comparison_section(findings);
  }
  html += doubts_section(findings);
  return html +
         "<footer>saslatch " SASLATCH_VERSION
         ". The rules, the counting and the locks are those of the daemon, run on the clock of the "
         "logs.</footer>\n</main></body></html>\n";
}

}  // namespace saslatch::replay
