#include <algorithm>
#include <utility>

#include "daemon/cli/option_value.h"
#include "daemon/cli/policy_command.h"
#include "daemon/cli/replay_command.h"
#include "daemon/cli/replay_inputs.h"
#include "daemon/config/keys.h"
#include "daemon/policy/presets.h"
#include "daemon/replay/suggest.h"
#include "daemon/replay/words.h"

namespace saslatch::cli {
namespace {

using replay::Advice;
using replay::grouped;
using replay::many;
using replay::percent;
using replay::shown;
using replay::SuggestedRule;
using replay::Suggestion;

// Names that a comment lists; --json has all.
constexpr size_t kListed = 20;

// The text of a configuration in the making: every line of a comment is made printable, since names
// of the logs stand in it.
class Text {
 public:
  void comment(std::string_view sentence, std::string_view first = "# ",
               std::string_view rest = "# ") {
    for (const std::string& line : wrapped(sentence, first, rest)) text_ += printable(line) + "\n";
  }
  void table(const Table& table) {
    std::string rendered = table.render(false);
    for (size_t at = 0; at < rendered.size();) {
      const size_t end = rendered.find('\n', at);
      text_ += "#   " + rendered.substr(at, end - at) + "\n";
      at = end + 1;
    }
  }
  void verbatim(std::string_view text) { text_ += text; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// As the configuration reads it; a day is 24h, as in the presets' files.
std::string limit_of(const SuggestedRule& suggested, uint32_t events) {
  policy::Rule rule = suggested.rule;
  rule.limit.events = events;
  std::string text;
  for (const auto& key : config::rule_keys())
    if (key.name == "limit") text = key.get(rule);
  if (text.ends_with("/1d")) text.replace(text.size() - 2, 2, "24h");
  return text;
}

bool delays(const SuggestedRule& rule) { return rule.rule.then == policy::Then::kDelay; }

std::string account_of(const replay::Trial::Strike& strike) {
  return (strike.user.empty() ? std::string("a login without a name") : strike.user) + " from " +
         (strike.rip ? strike.rip->to_string() : "an unknown address") + " at " + shown(strike.at);
}

void together_words(const Suggestion& suggestion, Text& text) {
  const replay::Trial& all = suggestion.together;
  const replay::Trial& base = suggestion.base_trial;
  const auto let = [&](const replay::Trial& trial) {
    return grouped(trial.guesses_let) + " (" + percent(trial.guesses_let, suggestion.guesses) + ")";
  };
  text.verbatim("#\n");
  text.comment("All rules together, replayed: " + grouped(all.owners_struck) + " of " +
               grouped(suggestion.logins) + " owners' logins refused or slowed; of " +
               many(suggestion.guesses, "guess") + " " + let(all) + " let through. " +
               suggestion.base.policy + " as it is: " + grouped(base.owners_struck) +
               " refused or slowed, " + let(base) + " let through.");
  if (suggestion.loosened > 0)
    text.comment("Limits that spare owners one by one did not together, and were loosened: " +
                 many(suggestion.loosened, "step") + ".");
}

void strange_words(const Suggestion& suggestion, Text& text) {
  std::vector<const replay::Strange*> open;
  for (const replay::Strange& strange : suggestion.strange)
    if (suggestion.aside.accounts.count(strange.user) == 0) open.push_back(&strange);
  if (!open.empty()) {
    text.verbatim("#\n");
    text.comment(
        many(open.size(), "account") + (open.size() == 1 ? " looks" : " look") +
        " stolen: logins from " + std::to_string(replay::kStrangeNetworks) +
        " or more new networks within a day. If so, these logins are no owner's, and it is "
        "for them that limits below are high: find out, and leave such accounts out with "
        "--except NAME, or all of them with --except-stolen.");
    Table table({"ACCOUNT", "NETWORKS", "WITHIN A DAY FROM", "LOGINS"}, {1, 3});
    for (size_t i = 0; i < std::min(open.size(), kListed); ++i)
      table.add({{open[i]->user},
                 {grouped(open[i]->networks)},
                 {shown(open[i]->from)},
                 {grouped(open[i]->logins)}});
    text.table(table);
    if (open.size() > kListed)
      text.comment("and " + grouped(open.size() - kListed) + " more", "#   ", "#   ");
  }
  if (suggestion.early_logins > 0) {
    text.verbatim("#\n");
    text.comment("Before " + shown(suggestion.aside.until) + " networks were only learnt. Of the " +
                 many(suggestion.early_logins, "login") + " until then, which count as nobody's, " +
                 grouped(suggestion.together.early_struck) + " would be refused or slowed.");
  }
  const auto& aside = suggestion.aside.accounts;
  if (aside.empty()) return;
  std::string names;
  size_t listed = 0;
  for (const std::string& user : aside) {
    if (listed++ == kListed) break;
    names += (names.empty() ? "" : ", ") + user;
  }
  if (aside.size() > kListed) names += " and " + grouped(aside.size() - kListed) + " more";
  text.verbatim("#\n");
  text.comment("Left out: " + names + ". Of their " + many(suggestion.aside_logins, "login") +
               ", which count as nobody's, " + grouped(suggestion.together.aside_struck) +
               " would be refused or slowed.");
}

void doubt_words(const Suggestion& suggestion, Text& text) {
  const replay::Findings& base = suggestion.base;
  if (base.caveats.empty() && base.warnings.empty()) return;
  text.verbatim("#\n");
  text.comment("What these logs cannot tell:");
  for (const replay::Caveat& caveat : base.caveats) text.comment(shown(caveat), "# - ", "#   ");
  for (const std::string& warning : base.warnings) text.comment(warning, "# - ", "#   ");
}

void rule_words(const SuggestedRule& rule, const Suggestion& suggestion, Text& text) {
  const std::string head = rule.rule.name + ": ";
  const std::string limit = limit_of(rule, rule.rule.limit.events);
  const std::string struck = delays(rule) ? "slows" : "refuses";
  switch (rule.advice) {
    case Advice::kBlind:
      return text.comment(head + limit + " as it is. These logs cannot tell what it counts.");
    case Advice::kUntouched:
      return text.comment(head + limit + " as it is. " +
                          (suggestion.logins == 0
                               ? "No owner logs in here who could be spared."
                               : "Alone it " + struck + " nobody here, whatever the limit."));
    case Advice::kCostly:
      text.comment(head + "turned off. No limit tried that " + struck +
                   " a guess spares every owner. The one below " + struck +
                   " the fewest owners' logins for each guess.");
      break;
    case Advice::kSpares: {
      std::string sentence = head + limit;
      if (rule.rule.limit.events == rule.base) {
        sentence += " as it is";
      } else {
        sentence += " instead of " + limit_of(rule, rule.base);
      }
      if (rule.rule.limit.events != rule.alone) {
        sentence += ". Alone " + limit_of(rule, rule.alone) +
                    " would do, but not together with the others.";
      } else if (rule.nearest) {
        sentence += ", the smallest limit that " + struck + " no owner here.";
      } else {
        sentence += ". No owner comes near it; smaller ones are not suggested.";
      }
      text.comment(sentence);
      break;
    }
  }
  if (rule.nearest && rule.advice == Advice::kSpares)
    text.comment("Nearest to it came " + account_of(*rule.nearest) + ", whom " +
                 limit_of(rule, rule.nearest_at) + " " + struck + ".");
  Table table({"ALONE", delays(rule) ? "LOGINS SLOWED" : "LOGINS REFUSED", "OF ACCOUNTS",
               delays(rule) ? "GUESSES NOT SLOWED" : "GUESSES LET THROUGH", "SHARE", ""},
              {1, 2, 3, 4});
  for (const replay::Tried& tried : rule.tried) {
    const uint64_t let =
        delays(rule) ? suggestion.guesses - tried.guesses_struck : tried.guesses_let;
    std::string note;
    if (tried.limit == rule.rule.limit.events)
      note = rule.rule.enabled ? "suggested" : "the cheapest";
    if (tried.limit == rule.base)
      note += (note.empty() ? "" : ", ") + std::string("as in ") + suggestion.base.policy;
    table.add({{limit_of(rule, tried.limit)},
               {grouped(tried.owners_struck)},
               {grouped(tried.accounts_struck)},
               {grouped(let)},
               {percent(let, suggestion.guesses)},
               {note}});
  }
  text.table(table);
}

// [policy] of a file, as far as it says anything.
std::string policy_section(const config::Config& config) {
  std::string text = "[policy]\n";
  for (const auto& key : config::policy_keys()) {
    const std::string value = key.get(config);
    if (key.name != "preset" && value != key.default_value) text += key.name + " = " + value + "\n";
  }
  return text;
}

// The changes to a preset, or whole rules, since a file's own cannot be built upon.
std::string as_config(const Suggestion& suggestion, const ReadPolicy& base) {
  Text text;
  const replay::Summary& summary = suggestion.base.summary;
  text.comment(
      "Suggested by `saslatch policy suggest` from " + many(summary.attempts, "attempt") +
      " to log in, " + shown(summary.first) + " to " + shown(summary.last) + " (" +
      shown(std::chrono::duration_cast<policy::Duration>(summary.last - summary.first)) +
      "), on the ground of " + suggestion.base.policy +
      ": for each rule the smallest limit of those tried that would have refused or slowed "
      "no owner. An owner's login is one that succeeded; a guess is a failure of an account "
      "that never logged in from that network. Try it before you trust it: `saslatch policy "
      "replay` on other logs, or `mode = observe`.");
  for (const std::string& warning : suggestion.warnings) {
    text.verbatim("#\n");
    text.comment("WARNING: " + warning + ".");
  }
  together_words(suggestion, text);
  strange_words(suggestion, text);
  doubt_words(suggestion, text);
  text.verbatim("\n");
  if (base.is_preset) {
    text.verbatim("[policy]\npreset = " + base.candidate.name + "\n");
  } else {
    text.comment("These take the place of [policy] and of every [rule.NAME] of " +
                 base.candidate.name + ".");
    text.verbatim(policy_section(base.config));
  }
  for (const SuggestedRule& rule : suggestion.rules) {
    text.verbatim("\n");
    rule_words(rule, suggestion, text);
    if (!base.is_preset) {
      text.verbatim(section_of(rule.rule));
      continue;
    }
    if (rule.advice == Advice::kBlind || rule.advice == Advice::kUntouched) continue;
    text.verbatim("[rule." + rule.rule.name + "]\n");
    if (!rule.rule.enabled) text.verbatim("enabled = no\n");
    text.verbatim("limit = " + limit_of(rule, rule.rule.limit.events) + "\n");
  }
  return text.take();
}

Json trial_json(const replay::Trial& trial, const Suggestion& suggestion) {
  return {{"logins_struck", trial.owners_struck},
          {"logins_refused", trial.owners_refused},
          {"guesses_let_through", trial.guesses_let},
          {"share_let_through",
           suggestion.guesses == 0
               ? 0.0
               : static_cast<double>(trial.guesses_let) / static_cast<double>(suggestion.guesses)}};
}

Json rule_json(const SuggestedRule& rule) {
  Json document{{"rule", rule.rule.name},
                {"advice", to_string(rule.advice)},
                {"enabled", rule.rule.enabled},
                {"limit", limit_of(rule, rule.rule.limit.events)},
                {"base_limit", limit_of(rule, rule.base)},
                {"alone_limit", limit_of(rule, rule.alone)}};
  if (rule.nearest)
    document["nearest"] = {{"limit", limit_of(rule, rule.nearest_at)},
                           {"account", rule.nearest->user},
                           {"rip", rule.nearest->rip ? rule.nearest->rip->to_string() : ""},
                           {"ts", shown(rule.nearest->at)}};
  Json tried = Json::array();
  for (const replay::Tried& one : rule.tried)
    tried.push_back({{"limit", limit_of(rule, one.limit)},
                     {"logins_struck", one.owners_struck},
                     {"accounts_struck", one.accounts_struck},
                     {"guesses_struck", one.guesses_struck},
                     {"guesses_let_through", one.guesses_let}});
  document["tried"] = std::move(tried);
  return document;
}

Json as_json(const Suggestion& suggestion, std::string config) {
  const replay::Summary& summary = suggestion.base.summary;
  Json document{{"base", suggestion.base.policy}, {"attempts", summary.attempts}};
  if (summary.attempts == 0) return document;
  document["first"] = shown(summary.first);
  document["last"] = shown(summary.last);
  document["logins"] = suggestion.logins;
  document["guesses"] = suggestion.guesses;
  document["together"] = trial_json(suggestion.together, suggestion);
  document["as_it_is"] = trial_json(suggestion.base_trial, suggestion);
  document["loosened"] = suggestion.loosened;
  document["passes"] = suggestion.passes;
  Json rules = Json::array();
  for (const SuggestedRule& rule : suggestion.rules) rules.push_back(rule_json(rule));
  document["rules"] = std::move(rules);
  Json strange = Json::array();
  for (const replay::Strange& one : suggestion.strange)
    strange.push_back({{"account", one.user},
                       {"networks", one.networks},
                       {"from", shown(one.from)},
                       {"logins", one.logins}});
  document["look_stolen"] = std::move(strange);
  document["left_out"] = suggestion.aside.accounts;
  document["left_out_logins"] = suggestion.aside_logins;
  document["left_out_logins_struck"] = suggestion.together.aside_struck;
  document["early_logins"] = suggestion.early_logins;
  document["early_logins_struck"] = suggestion.together.early_struck;
  Json caveats = Json::array();
  for (const replay::Caveat& caveat : suggestion.base.caveats)
    caveats.push_back({{"rules", caveat.rules}, {"blind", caveat.blind}, {"text", caveat.text}});
  document["caveats"] = std::move(caveats);
  std::vector<std::string> warnings = suggestion.warnings;
  warnings.insert(warnings.end(), suggestion.base.warnings.begin(), suggestion.base.warnings.end());
  document["warnings"] = warnings;
  document["config"] = std::move(config);
  return document;
}

void warn(const Suggestion& suggestion, Console& console) {
  for (const std::string& warning : suggestion.base.warnings) console.warning(warning);
  for (const std::string& warning : suggestion.warnings) console.warning(warning);
  const auto open = static_cast<size_t>(std::count_if(
      suggestion.strange.begin(), suggestion.strange.end(), [&](const replay::Strange& strange) {
        return suggestion.aside.accounts.count(strange.user) == 0;
      }));
  if (open > 0)
    console.warning(many(open, "account") +
                    (open == 1 ? " looks stolen, and may make" : " look stolen, and may make") +
                    " limits high: --except-stolen leaves such out");
}

}  // namespace

ExitCode policy_suggest(const Invocation& invocation, Console& console) {
  ExitCode exit = ExitCode::kOk;
  const auto logs = read_logs(invocation, "policy suggest", console, exit);
  if (!logs) return exit;
  const auto base = read_policy(
      invocation.value("policy").value_or(std::string(policy::kDefaultPreset)), console, exit);
  if (!base) return exit;
  replay::SuggestOptions options;
  options.base = base->candidate;
  options.aside_strange = invocation.has("except-stolen");
  const auto learn = option_value(invocation, "learn",
                                  config::duration(std::chrono::seconds(1), policy::kMaxWindow),
                                  config::Milliseconds{});
  if (!learn) return console.fail(ExitCode::kUsage, learn.error().message);
  options.learn = *learn;
  for (const std::string& name : invocation.values("except")) {
    const auto user = base->candidate.normalise(name);
    if (!user)
      return console.fail(ExitCode::kUsage,
                          "--except " + name + ": [usernames] allows no such name");
    options.aside.insert(*user);
  }
  replay::SystemZone zone;
  auto stream = replay::FactStream::open(logs->files, logs->format, zone);
  if (!stream) return console.fail(ExitCode::kBadData, stream.error().message);
  Suggestion suggestion;
  {
    Progress progress(console);
    options.on_progress = [&](size_t pass, size_t limits, uint64_t done, uint64_t all) {
      progress.show(
          pass == 0 ? "reading" : "pass " + std::to_string(pass) + ", " + many(limits, "limit"),
          done, all, pass == 0);
    };
    suggestion = replay::suggest(**stream, options, zone);
  }
  if (!suggestion.trouble.empty()) return console.fail(ExitCode::kCantCreate, suggestion.trouble);
  if (suggestion.base.summary.attempts == 0) {
    if (console.style().json) console.print(as_json(suggestion, {}));
    for (const std::string& warning : suggestion.base.warnings) console.warning(warning);
    return console.fail(ExitCode::kBadData,
                        "there is no attempt to log in in these logs, so nothing can be suggested");
  }
  warn(suggestion, console);
  std::string config = as_config(suggestion, *base);
  if (console.style().json) {
    console.print(as_json(suggestion, std::move(config)));
  } else {
    console.verbatim(config);
  }
  return ExitCode::kOk;
}

}  // namespace saslatch::cli
