#include "daemon/cli/daemon_commands.h"
#include "daemon/cli/format.h"

namespace saslatch::cli {
namespace {

using std::chrono::seconds;

// "An attempt would be refused now: locked by rule guess-account for another 5m (until ...)."
std::string verdict_sentence(const Json& reply) {
  const Json& verdict = part(reply, "verdict");
  if (!bool_field(verdict, "refused")) {
    return "An attempt would be checked now: nothing locks or refuses " +
           text_field(reply, "subject") + ".";
  }
  const std::string rule = text_field(verdict, "rule");
  std::string sentence = "An attempt would be refused now: ";
  sentence += rule == "administrator"                    ? "locked by an administrator"
              : text_field(verdict, "cause") == "locked" ? "locked by rule " + rule
                                                         : "over the rate of rule " + rule;
  sentence += " for another " + format_duration(seconds(number_field(verdict, "left_seconds"))) +
              " (until " + text_field(verdict, "until") + ").";
  if (bool_field(verdict, "spares_familiar")) {
    sentence += " The rule spares familiar networks.";
  }
  return sentence;
}

Table locks(const Json& reply) {
  Table table({"LOCKED", "BY RULE", "LEFT", "UNTIL", "LEVEL", "REASON"}, {2, 4});
  for (const Json& lock : part(reply, "locks")) {
    table.add({{text_field(lock, "subject"), Tone::kBad},
               {text_field(lock, "rule")},
               {format_duration(seconds(number_field(lock, "left_seconds")))},
               {text_field(lock, "until")},
               {std::to_string(number_field(lock, "level"))},
               {text_field(lock, "reason")}});
  }
  return table;
}

Table rules(const Json& reply) {
  Table table({"RULE", "COUNTS", "FOR", "NOW", "LIMIT", "THEN"}, {3});
  for (const Json& rule : part(reply, "rules")) {
    // Of all hosts, where they count together.
    const char* const counted = rule.contains("counted_together") ? "counted_together" : "counted";
    const int64_t now = number_field(rule, counted) + number_field(rule, "pending");
    const int64_t limit = number_field(rule, "limit");
    // From half of the limit on it is worth a look.
    const Tone tone = now >= limit ? Tone::kBad : now * 2 >= limit ? Tone::kWarning : Tone::kPlain;
    table.add({{text_field(rule, "rule")},
               {text_field(rule, "count")},
               {text_field(rule, "subject")},
               {std::to_string(now), tone},
               {std::to_string(limit) + " in " +
                format_duration(seconds(number_field(rule, "window_seconds")))},
               {text_field(rule, "then")}});
  }
  return table;
}

Table familiar(const Json& reply) {
  Table table({"FAMILIAR NETWORK", "LAST SUCCESS"});
  for (const Json& network : part(reply, "familiar")) {
    table.add({{text_field(network, "network")}, {text_field(network, "last_success")}});
  }
  return table;
}

Table attempts(const Json& reply) {
  Table table({"LAST ATTEMPTS", "USER", "FROM", "OUTCOME", "RULE"});
  for (const Json& attempt : part(reply, "attempts")) {
    const std::string outcome = text_field(attempt, "outcome");
    table.add({{text_field(attempt, "at")},
               {text_field(attempt, "user")},
               {text_field(attempt, "rip")},
               {outcome, outcome == "ok" ? Tone::kGood : Tone::kWarning},
               {text_field(attempt, "rule")}});
  }
  return table;
}

}  // namespace

ExitCode explain(const Invocation& invocation, Console& console) {
  ExitCode exit{};
  const auto reply =
      ask_daemon(invocation, console, exit, "explain", Json{{"subject", invocation.arguments[0]}});
  if (!reply) return exit;
  if (console.style().json) {
    console.print(without_ok(*reply));
    return ExitCode::kOk;
  }
  console.line(verdict_sentence(*reply));
  for (const Json& note : part(*reply, "notes")) {
    if (note.is_string()) console.line("Note: " + note.get<std::string>() + ".");
  }
  for (const Table& table : {locks(*reply), rules(*reply), familiar(*reply), attempts(*reply)}) {
    if (table.empty()) continue;
    console.line("");
    console.print(table);
  }
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
