#include <algorithm>

#include "daemon/cli/replay_command.h"
#include "daemon/replay/words.h"

namespace saslatch::cli {
namespace {

using replay::grouped;
using replay::many;
using replay::percent;
using replay::shown;
using replay::Unusable;

// Rows of a table on a terminal; --json and --report have more.
constexpr size_t kRows = 10;

void print_wrapped(Console& console, std::string_view text, std::string_view first,
                   std::string_view rest) {
  for (const std::string& line : wrapped(text, first, rest)) console.line(line);
}

void heading(Console& console, std::string_view text) {
  console.line("");
  console.line(text);
}

void print_rules(const replay::Summary& summary, Console& console) {
  if (summary.rules.empty()) return console.line("The policy has no rules.");
  Table table({"RULE", "DOES", "TRIPPED", "SUBJECTS", "REFUSED", "DELAYED", "OWNERS"},
              {2, 3, 4, 5, 6});
  for (const replay::RuleFigures& rule : summary.rules) {
    const uint64_t owners = rule.owners_refused + rule.owners_delayed;
    table.add({{rule.name},
               {rule.does},
               {grouped(rule.trips)},
               {grouped(rule.subjects)},
               {grouped(rule.refused)},
               {grouped(rule.delayed)},
               {grouped(owners), owners > 0 ? Tone::kWarning : Tone::kPlain}});
  }
  console.print(table);
}

template <typename Figures>
std::vector<const Figures*> with_owners_refused(const std::vector<Figures>& all) {
  std::vector<const Figures*> found;
  for (const Figures& figures : all)
    if (figures.split.owners_refused > 0) found.push_back(&figures);
  std::stable_sort(found.begin(), found.end(), [](const Figures* a, const Figures* b) {
    return a->split.owners_refused > b->split.owners_refused;
  });
  return found;
}

template <typename Figures>
void print_owners(const std::vector<Figures>& all, uint64_t in_all, const char* what,
                  Console& console) {
  const auto found = with_owners_refused(all);
  if (found.empty()) return;
  heading(
      console,
      "Owners refused, by " + std::string(what) +
          (in_all > kRows ? " (" + std::to_string(kRows) + " of " + grouped(in_all) + "):" : ":"));
  Table table({what == std::string("account") ? "ACCOUNT" : "NETWORK", "LOGINS", "REFUSED",
               "GUESSES FROM STRANGERS"},
              {1, 2, 3});
  for (size_t i = 0; i < std::min(found.size(), kRows); ++i) {
    const Figures& figures = *found[i];
    table.add({{replay::name_of(figures)},
               {grouped(figures.split.owners)},
               {grouped(figures.split.owners_refused)},
               {grouped(figures.split.guesses)}});
  }
  console.print(table);
}

template <typename Figures>
void print_guesses(const std::vector<Figures>& all, const std::string& title,
                   const std::string& first, const std::string& spread,
                   uint32_t (*spread_of)(const Figures&), Console& console) {
  if (all.empty() || all.front().split.guesses == 0) return;
  heading(console, title);
  Table table({first, "GUESSES", "LET THROUGH", "SHARE", spread}, {1, 2, 3, 4});
  for (size_t i = 0; i < std::min(all.size(), kRows); ++i) {
    const Figures& figures = all[i];
    const replay::Split& split = figures.split;
    if (split.guesses == 0) break;
    table.add({{replay::name_of(figures)},
               {grouped(split.guesses)},
               {grouped(split.guesses_let())},
               {percent(split.guesses_let(), split.guesses)},
               {grouped(spread_of(figures))}});
  }
  console.print(table);
}

void print_comparison(const replay::Findings& findings, Console& console) {
  if (!findings.other_summary) return;
  heading(console, "Compared:");
  for (const std::string& sentence : replay::comparison_in_words(findings))
    print_wrapped(console, sentence, "", "");
  const replay::Split& a = findings.summary.split;
  const replay::Split& b = findings.other_summary->split;
  Table table({"", findings.policy, findings.other}, {1, 2});
  const auto row = [&](const char* what, uint64_t first, uint64_t second) {
    table.add({{what}, {grouped(first)}, {grouped(second)}});
  };
  row("logins refused", a.owners_refused, b.owners_refused);
  row("guesses let through", a.guesses_let(), b.guesses_let());
  row("guesses refused", a.guesses_refused, b.guesses_refused);
  row("owners' slips refused", a.slips_refused, b.slips_refused);
  row("answers delayed", findings.summary.delayed, findings.other_summary->delayed);
  const auto trips = [](const replay::Summary& summary) {
    uint64_t all = 0;
    for (const replay::RuleFigures& rule : summary.rules) all += rule.trips;
    return all;
  };
  row("rules tripped", trips(findings.summary), trips(*findings.other_summary));
  console.print(table);
}

void print_doubts(const replay::Findings& findings, Console& console) {
  if (findings.caveats.empty() && findings.warnings.empty()) return;
  heading(console, "What these logs cannot tell:");
  for (const replay::Caveat& caveat : findings.caveats)
    print_wrapped(console, shown(caveat), "  ", "    ");
  for (const std::string& warning : findings.warnings)
    print_wrapped(console, warning, "  ", "    ");
  const replay::Assembler::Figures& assembly = findings.assembly;
  if (assembly.steps_back > 0)
    print_wrapped(console,
                  "the clock goes back " + many(assembly.steps_back, "time") + ", by up to " +
                      shown(assembly.longest_step) + ": followed, as the daemon follows its clock",
                  "  ", "    ");
  if (findings.summary.rounded)
    print_wrapped(console, "a table was full: rare accounts and networks are in the sums only",
                  "  ", "    ");
}

void print_lines(const replay::Findings& findings, Console& console) {
  uint64_t lines = 0;
  for (const replay::FileReport& file : findings.files) lines += file.lines;
  heading(console, "Lines: " + grouped(lines) + " of " + many(findings.files.size(), "file") +
                       ", with " + many(findings.summary.attempts, "attempt") + ".");
  if (findings.assembly.told_twice + findings.assembly.same_session > 0)
    print_wrapped(console,
                  "Told more than once, counted once: " +
                      grouped(findings.assembly.told_twice + findings.assembly.same_session) + ".",
                  "", "");
  Table table({"NOT USED", "LINES", "WHY"}, {1});
  bool any = false;
  for (size_t i = 0; i < replay::kUnusables; ++i) {
    const auto kind = static_cast<Unusable>(i);
    const auto& left = findings.leftovers[kind];
    if (left.lines == 0) continue;
    any = true;
    table.add(
        {{std::string(to_string(kind)), replay::is_ordinary(kind) ? Tone::kPlain : Tone::kWarning},
         {grouped(left.lines)},
         {std::string(explanation(kind))}});
  }
  if (!any) return;
  console.print(table);
  console.line("The first of each:");
  for (size_t i = 0; i < replay::kUnusables; ++i) {
    const auto& left = findings.leftovers[static_cast<Unusable>(i)];
    if (left.lines == 0) continue;
    console.line("  " + left.file + ":" + std::to_string(left.line) + ": " + left.example);
  }
}

}  // namespace

void print_findings(const replay::Findings& findings, Console& console) {
  const replay::Summary& summary = findings.summary;
  if (summary.attempts > 0) {
    print_wrapped(
        console,
        findings.policy + " on " + many(summary.attempts, "attempt") + ", " + shown(summary.first) +
            " to " + shown(summary.last) + " (" +
            shown(std::chrono::duration_cast<policy::Duration>(summary.last - summary.first)) +
            "):",
        "", "");
    console.line("");
  }
  for (const std::string& sentence : replay::in_words(findings))
    print_wrapped(console, sentence, "", "");
  if (summary.attempts > 0) {
    console.line("");
    print_rules(summary, console);
    print_owners(summary.accounts, summary.accounts_with_owner_refused, "account", console);
    print_owners(summary.networks, summary.networks_with_owner_refused, "network", console);
    print_guesses<replay::AccountFigures>(
        summary.accounts, "Most attacked accounts:", "ACCOUNT", "NETWORKS",
        [](const replay::AccountFigures& a) { return a.networks; }, console);
    print_guesses<replay::NetworkFigures>(
        summary.networks, "Busiest attackers:", "NETWORK", "ACCOUNTS",
        [](const replay::NetworkFigures& n) { return n.accounts; }, console);
    print_comparison(findings, console);
  }
  print_doubts(findings, console);
  print_lines(findings, console);
}

}  // namespace saslatch::cli
