#include "daemon/cli/replay_command.h"
#include "daemon/replay/words.h"

namespace saslatch::cli {
namespace {

using replay::shown;

int64_t seconds(policy::Duration duration) {
  return std::chrono::floor<std::chrono::seconds>(duration).count();
}

Json split_json(const replay::Split& split) {
  return {{"logins", split.owners},   {"logins_refused", split.owners_refused},
          {"guesses", split.guesses}, {"guesses_let_through", split.guesses_let()},
          {"slips", split.slips},     {"slips_refused", split.slips_refused}};
}

Json rules_json(const replay::Summary& summary) {
  Json rules = Json::array();
  for (const replay::RuleFigures& rule : summary.rules)
    rules.push_back({{"rule", rule.name},
                     {"then", rule.does},
                     {"trips", rule.trips},
                     {"subjects", rule.subjects},
                     {"refused", rule.refused},
                     {"logins_refused", rule.owners_refused},
                     {"delayed", rule.delayed},
                     {"logins_delayed", rule.owners_delayed}});
  return rules;
}

Json accounts_json(const replay::Summary& summary) {
  Json accounts = Json::array();
  for (const replay::AccountFigures& account : summary.accounts) {
    Json one{{"account", account.name}};
    one.update(split_json(account.split));
    one["networks"] = account.networks;
    if (account.first_guess) one["first_guess"] = shown(*account.first_guess);
    if (account.first_refused) one["first_refused"] = shown(*account.first_refused);
    accounts.push_back(std::move(one));
  }
  return accounts;
}

Json networks_json(const replay::Summary& summary) {
  Json networks = Json::array();
  for (const replay::NetworkFigures& network : summary.networks) {
    Json one{{"network", name_of(network)}};
    one.update(split_json(network.split));
    one["accounts"] = network.accounts;
    networks.push_back(std::move(one));
  }
  return networks;
}

Json time_json(const replay::Summary& summary) {
  Json series = Json::array();
  for (const auto& [number, bucket] : summary.buckets) {
    Json refused_by = Json::object();
    for (const auto& [rule, many] : bucket.by_rule)
      refused_by[rule < summary.rules.size() ? summary.rules[rule].name : "administrator"] = many;
    const auto since = std::chrono::duration_cast<replay::Time::duration>(summary.bucket) * number;
    series.push_back({{"from", shown(replay::Time(since))},
                      {"ok", bucket.ok},
                      {"failed", bucket.let},
                      {"refused", bucket.refused},
                      {"logins_refused", bucket.owners_refused},
                      {"refused_by", std::move(refused_by)}});
  }
  return series;
}

Json week_json(const replay::Summary& summary) {
  Json week = Json::array();
  for (const auto& day : summary.week) {
    Json hours = Json::array();
    for (const replay::Cell& cell : day)
      hours.push_back(
          {{"attempts", cell.attempts}, {"failed", cell.failed}, {"refused", cell.refused}});
    week.push_back(std::move(hours));
  }
  return week;
}

Json summary_json(const replay::Summary& summary) {
  Json document{{"attempts", summary.attempts}};
  if (summary.attempts == 0) return document;
  document["first"] = shown(summary.first);
  document["last"] = shown(summary.last);
  document["unnamed"] = summary.unnamed;
  document["refused_at_the_time"] = summary.unseen;
  document["delayed"] = summary.delayed;
  document.update(split_json(summary.split));
  document["accounts_seen"] = summary.accounts_seen;
  document["accounts_attacked"] = summary.attacked;
  document["networks_attacking"] = summary.attackers;
  document["rules"] = rules_json(summary);
  document["accounts"] = accounts_json(summary);
  document["networks"] = networks_json(summary);
  if (const auto& until = summary.until_refused; !until.empty())
    document["seconds_to_first_refusal"] = {
        {"accounts", until.size()},
        {"half", seconds(until[(until.size() - 1) / 2])},
        {"nine_in_ten", seconds(until[(until.size() - 1) * 9 / 10])}};
  document["rounded"] = summary.rounded;
  return document;
}

Json curves_json(const std::vector<replay::Curve>& curves) {
  Json documents = Json::array();
  for (const replay::Curve& curve : curves) {
    Json points = Json::array();
    for (const replay::CurvePoint& point : curve.points)
      points.push_back({{"limit", point.limit},
                        {"logins_refused", point.owners_refused},
                        {"guesses_let_through", point.guesses_let}});
    Json document{{"rule", curve.rule},
                  {"window_seconds", seconds(curve.limit.window)},
                  {"limit", curve.limit.events}};
    if (curve.knee) document["knee"] = curve.points[*curve.knee].limit;
    document["points"] = std::move(points);
    documents.push_back(std::move(document));
  }
  return documents;
}

Json square_json(const replay::Difference::Square& square) {
  return {{"both_let_through", square[0][0]},
          {"only_other_refuses", square[0][1]},
          {"only_policy_refuses", square[1][0]},
          {"both_refuse", square[1][1]}};
}

Json leftovers_json(const replay::Leftovers& leftovers) {
  Json kinds = Json::array();
  for (size_t i = 0; i < replay::kUnusables; ++i) {
    const auto kind = static_cast<replay::Unusable>(i);
    const auto& left = leftovers[kind];
    if (left.lines == 0) continue;
    kinds.push_back({{"kind", to_string(kind)},
                     {"lines", left.lines},
                     {"why", explanation(kind)},
                     {"ordinary", is_ordinary(kind)},
                     {"file", left.file},
                     {"line", left.line},
                     {"example", left.example}});
  }
  return kinds;
}

}  // namespace

Json findings_json(const replay::Findings& findings) {
  Json document{{"policy", findings.policy}, {"zone", findings.zone}};
  document["words"] = replay::in_words(findings);
  document.update(summary_json(findings.summary));
  if (findings.summary.attempts > 0) {
    document["bucket_seconds"] = seconds(findings.summary.bucket);
    document["over_time"] = time_json(findings.summary);
    document["week"] = week_json(findings.summary);
  }
  if (!findings.curves.empty()) document["curves"] = curves_json(findings.curves);
  if (findings.other_summary) {
    Json other = summary_json(*findings.other_summary);
    other["policy"] = findings.other;
    other["words"] = replay::comparison_in_words(findings);
    document["compared"] = std::move(other);
    document["verdicts"] = {{"logins", square_json(findings.difference.owners)},
                            {"failures", square_json(findings.difference.failed)}};
  }
  Json caveats = Json::array();
  for (const replay::Caveat& caveat : findings.caveats)
    caveats.push_back({{"rules", caveat.rules}, {"blind", caveat.blind}, {"text", caveat.text}});
  document["caveats"] = std::move(caveats);
  document["warnings"] = findings.warnings;
  Json files = Json::array();
  for (const replay::FileReport& file : findings.files)
    files.push_back({{"file", file.path},
                     {"lines", file.lines},
                     {"used", file.facts},
                     {"damage", file.damage}});
  document["files"] = std::move(files);
  document["not_used"] = leftovers_json(findings.leftovers);
  const replay::Assembler::Figures& assembly = findings.assembly;
  document["told_more_than_once"] = assembly.told_twice + assembly.same_session;
  document["out_of_order"] = assembly.late;
  document["clock_steps_back"] = assembly.steps_back;
  document["longest_step_back_seconds"] = seconds(assembly.longest_step);
  return document;
}

}  // namespace saslatch::cli
