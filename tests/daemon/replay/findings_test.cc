// What a policy would have done: the engine's verdicts, the figures, what the logs cannot tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/policy/presets.h"
#include "daemon/replay/replay.h"
#include "daemon/replay/suggest.h"
#include "tests/daemon/replay/kit.h"

namespace saslatch::replay {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations below
using ::testing::ElementsAre;

policy::Rule guess_account() {
  policy::Rule rule;
  rule.name = "guess-account";
  rule.limit = {3, 1h};
  rule.lasts = 10min;
  return rule;
}

Candidate candidate(std::vector<policy::Rule> rules) {
  Candidate candidate;
  candidate.name = "test.conf";
  candidate.settings.rules = std::move(rules);
  candidate.normalise = [](std::string_view user) -> std::optional<std::string> {
    if (user.find('!') != std::string_view::npos) return std::nullopt;
    return std::string(user);
  };
  return candidate;
}

Options options_of(Candidate policy) {
  Options options;
  options.policy = std::move(policy);
  return options;
}

class Replays : public ::testing::Test {
 protected:
  Replays() {
    char name[] = "/tmp/saslatch-replay-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~Replays() override { std::filesystem::remove_all(folder_); }

  // A line of the audit log, `second` after midnight.
  void attempt(int second, const std::string& result, const std::string& user,
               const std::string& rip) {
    const std::string outcome = result == "ok"        ? R"("ok")"
                                : result == "refused" ? R"("refused","cause":"locked")"
                                                      : R"("fail","cause":")" + result + '"';
    log_ += R"({"ts":")" + shown(Time(kWritten - 24h + std::chrono::seconds(second))) +
            R"(","event":"auth","outcome":)" + outcome + R"(,"user":")" + user + R"(","rip":")" +
            rip + R"(","mech":"PLAIN","repeat":false})" + "\n";
  }
  void attempts(int many, int second, const std::string& result, const std::string& user,
                const std::string& rip) {
    for (int i = 0; i < many; ++i) attempt(second + i, result, user, rip);
  }

  Findings replayed(Options options) {
    const std::string path = folder_ + "/log";
    std::ofstream(path, std::ios::binary) << log_;
    auto stream = FactStream::open({{path, kWritten, log_.size()}}, Format::kAuto, utc_zone());
    EXPECT_TRUE(stream);
    options.on_decision = [this](const Attempt& attempt, const Judged& judged) {
      decisions_.push_back(std::to_string(attempt.line) + " " +
                           std::string(to_string(judged.decision)) +
                           (judged.rule.empty() ? "" : " " + judged.rule + " " + judged.subject));
    };
    return replay(**stream, options, utc_zone());
  }
  Findings replayed(std::vector<policy::Rule> rules) {
    return replayed(options_of(candidate(std::move(rules))));
  }

  Suggestion suggested(std::vector<policy::Rule> rules,
                       std::set<std::string, std::less<>> aside = {}, bool aside_strange = false,
                       policy::Duration learn = {}) {
    const std::string path = folder_ + "/log";
    std::ofstream(path, std::ios::binary) << log_;
    auto stream = FactStream::open({{path, kWritten, log_.size()}}, Format::kAuto, utc_zone());
    EXPECT_TRUE(stream);
    SuggestOptions options;
    options.base = candidate(std::move(rules));
    options.aside = std::move(aside);
    options.aside_strange = aside_strange;
    options.learn = learn;
    return suggest(**stream, options, utc_zone());
  }

  std::string folder_;
  std::string log_;
  std::vector<std::string> decisions_;
};

TEST_F(Replays, DecideAsTheEngineDoes) {
  attempts(4, 0, "bad-credential", "alice", "203.0.113.9");
  attempt(10, "ok", "alice", "198.51.100.7");
  attempt(11 * 60, "ok", "alice", "198.51.100.7");
  const Findings findings = replayed({guess_account()});
  EXPECT_THAT(decisions_,
              ElementsAre("1 allow", "2 allow", "3 allow", "4 refuse guess-account user:alice",
                          "5 refuse guess-account user:alice", "6 allow"));
  const Split& split = findings.summary.split;
  EXPECT_EQ(split.owners, 2u);
  EXPECT_EQ(split.owners_refused, 1u);
  EXPECT_EQ(split.guesses, 4u);
  EXPECT_EQ(split.guesses_let(), 3u);
  const RuleFigures& rule = findings.summary.rules.at(0);
  EXPECT_EQ(rule.trips, 1u);
  EXPECT_EQ(rule.subjects, 1u);
  EXPECT_EQ(rule.refused, 2u);
  EXPECT_EQ(rule.owners_refused, 1u);
  EXPECT_THAT(
      in_words(findings),
      ElementsAre("It would have refused 1 of the 2 logins that succeeded (5000.0 of "
                  "10,000), of 1 account from 1 network.",
                  "Of 4 guesses at 1 account from 1 network it would have let through 3 "
                  "(75.0 %).",
                  "The most attacked account, alice, would have met 3 of 4 guesses.",
                  "From the first guess at an account to the first one refused: 3s for half "
                  "of the 1 account that came so far."));
}

// Reading, judging and counting run on a thread each; one after the other they come to the same.
TEST_F(Replays, AreTheSameAsOneAfterTheOther) {
  uint32_t seed = 1;
  const auto chance = [&](uint32_t of) {
    return (seed = seed * 1664525 + 1013904223) / 65536 % of;
  };
  for (int second = 0; second < 6000; ++second)
    attempt(second,
            chance(3) == 0   ? "ok"
            : chance(4) == 0 ? "unknown-user"
                             : "bad-credential",
            "user" + std::to_string(chance(40)), "192.0." + std::to_string(chance(30)) + ".7");
  const Findings findings = replayed({guess_account()});

  std::vector<std::string> lines;
  for (size_t at = 0; at < log_.size(); at = log_.find('\n', at) + 1)
    lines.push_back(log_.substr(at, log_.find('\n', at) - at));
  const Candidate policy = candidate({guess_account()});
  Judge judge(policy.settings);
  Tally tally(policy.settings, utc_zone());
  std::vector<std::string> decisions;
  for (const Attempt& attempt : attempts_of(lines)) {
    const Judged judged = judge.judge(attempt, attempt.user);
    tally.add(attempt, attempt.user, judged);
    decisions.push_back(std::to_string(attempt.line) + " " +
                        std::string(to_string(judged.decision)) +
                        (judged.rule.empty() ? "" : " " + judged.rule + " " + judged.subject));
  }
  EXPECT_EQ(decisions_, decisions);
  Findings alone;
  alone.policy = findings.policy;
  alone.summary = tally.summary();
  alone.caveats = findings.caveats;
  EXPECT_EQ(in_words(findings), in_words(alone));
  EXPECT_GT(findings.summary.split.owners_refused, 0u);
}

TEST_F(Replays, TellSlipsFromGuessesByWhatComesLaterToo) {
  attempt(0, "bad-credential", "alice", "198.51.100.7");  // logs in a minute later
  attempt(60, "ok", "alice", "198.51.100.8");             // from the same /24
  attempt(70, "bad-credential", "alice", "198.51.100.7");
  attempt(80, "bad-credential", "alice", "203.0.113.9");
  attempt(90, "unknown-user", "bob", "198.51.100.7");
  const Split split = replayed({guess_account()}).summary.split;
  EXPECT_EQ(split.slips, 2u);
  EXPECT_EQ(split.guesses, 2u);
}

TEST_F(Replays, NameARuleThatDelays) {
  policy::Rule rule = guess_account();
  rule.then = policy::Then::kDelay;
  rule.lasts = 3s;
  attempts(5, 0, "bad-credential", "alice", "203.0.113.9");
  const Findings findings = replayed({rule});
  EXPECT_EQ(decisions_.back(), "5 delay guess-account user:alice");
  EXPECT_EQ(findings.summary.rules.at(0).trips, 1u);
  EXPECT_EQ(findings.summary.delayed, findings.summary.rules.at(0).delayed);
}

TEST_F(Replays, CountEachTripOfARate) {
  policy::Rule rule = guess_account();
  rule.then = policy::Then::kRefuse;
  rule.limit = {2, 1min};
  attempts(4, 0, "bad-credential", "alice", "203.0.113.9");
  attempts(4, 300, "bad-credential", "alice", "203.0.113.9");
  const RuleFigures figures = replayed({rule}).summary.rules.at(0);
  EXPECT_EQ(figures.trips, 2u);
  EXPECT_EQ(figures.subjects, 1u);
  EXPECT_EQ(figures.refused, 4u);
}

TEST_F(Replays, EnforceAPolicyThatOnlyObserves) {
  attempts(4, 0, "bad-credential", "alice", "203.0.113.9");
  Candidate observing = candidate({guess_account()});
  observing.settings.mode = policy::Mode::kObserve;
  EXPECT_EQ(replayed(options_of(observing)).summary.split.guesses_refused, 1u);
}

TEST_F(Replays, TakeWhatWasRefusedAtTheTimeForGuesses) {
  attempts(3, 0, "refused", "alice", "203.0.113.9");
  attempt(9, "ok", "alice", "198.51.100.7");
  const Findings findings = replayed({guess_account()});
  EXPECT_EQ(findings.summary.unseen, 3u);
  EXPECT_EQ(findings.summary.split.owners_refused, 1u);
  EXPECT_THAT(findings.caveats, ElementsAre(::testing::Field(
                                    &Caveat::text, ::testing::HasSubstr("75.0 % of the attempts "
                                                                        "were refused"))));
}

TEST_F(Replays, LeaveOutNamesThatNoRuleSees) {
  attempts(9, 0, "bad-credential", "a!b", "203.0.113.9");
  const Findings findings = replayed({guess_account()});
  EXPECT_EQ(findings.summary.attempts, 0u);
  EXPECT_EQ(findings.leftovers[Unusable::kNoName].lines, 9u);
  EXPECT_EQ(findings.leftovers[Unusable::kNoName].example, "a!b");
}

TEST_F(Replays, CompareTwoPolicies) {
  attempts(6, 0, "bad-credential", "alice", "203.0.113.9");
  attempt(10, "ok", "alice", "198.51.100.7");
  Options options = options_of(candidate({guess_account()}));
  options.other = candidate({});
  options.other->name = "other.conf";
  const Findings findings = replayed(options);
  EXPECT_EQ(findings.difference.owners[1][0], 1u);
  EXPECT_EQ(findings.difference.failed[0][0], 3u);
  EXPECT_EQ(findings.difference.failed[1][0], 3u);
  EXPECT_THAT(
      comparison_in_words(findings),
      ElementsAre("Instead of test.conf, other.conf would have refused 1 fewer logins that "
                  "succeeded (0), and let through 3 more guesses (6, 100.0 %).",
                  "Another verdict for 1 login that succeeded and 3 attempts that failed."));
}

TEST_F(Replays, DrawACurveForARuleThatRefuses) {
  for (int user = 0; user < 4; ++user) {
    const std::string name = "user" + std::to_string(user);
    attempts(30, user * 1000, "bad-credential", name, "203.0.113.9");
    // Its owner forgot the password: the (user+2)nd attempt is right.
    attempts(user + 1, user * 1000 + 500, "bad-credential", name + "-owner", "198.51.100.7");
    attempt(user * 1000 + 520, "ok", name + "-owner", "198.51.100.7");
  }
  Options options = options_of(candidate({guess_account()}));
  options.curves = 3;
  const Findings findings = replayed(options);
  ASSERT_EQ(findings.curves.size(), 1u);
  const Curve& curve = findings.curves[0];
  EXPECT_EQ(curve.rule, "guess-account");
  EXPECT_EQ(curve.points[curve.current].limit, 3u);
  // The curve's own point is the replay.
  EXPECT_EQ(curve.points[curve.current].guesses_let, findings.summary.split.guesses_let());
  EXPECT_EQ(curve.points[curve.current].owners_refused, findings.summary.split.owners_refused);
  for (size_t i = 1; i < curve.points.size(); ++i) {
    EXPECT_GT(curve.points[i].limit, curve.points[i - 1].limit);
    EXPECT_GE(curve.points[i].guesses_let, curve.points[i - 1].guesses_let);
    EXPECT_LE(curve.points[i].owners_refused, curve.points[i - 1].owners_refused);
  }
}

TEST(Curves, HaveTheirKneeWhereOwnersBeginToCost) {
  // limit, owners refused, guesses let through
  EXPECT_EQ(knee_of({{1, 100, 0}, {2, 20, 10}, {4, 5, 20}, {8, 2, 500}, {16, 0, 1000}}), 2u);
  EXPECT_FALSE(knee_of({{1, 5, 10}, {2, 5, 10}, {4, 5, 10}}));  // flat
  EXPECT_FALSE(knee_of({{1, 2, 0}, {2, 1, 1}, {4, 0, 2}}));     // a line
  EXPECT_FALSE(knee_of({{1, 2, 0}}));
}

// "guess-account spares-owners 6 (3:4 5:1 6:0 12:0)": the limits tried, with the logins they
// strike.
std::string to_text(const SuggestedRule& rule) {
  std::string text = rule.rule.name + " " + std::string(to_string(rule.advice)) + " " +
                     std::to_string(rule.rule.limit.events);
  std::string tried;
  for (const Tried& one : rule.tried)
    tried += (tried.empty() ? " (" : " ") + std::to_string(one.limit) + ":" +
             std::to_string(one.owners_struck);
  return text + tried + (tried.empty() ? "" : ")");
}

class Suggestions : public Replays {
 protected:
  // An owner who mistypes `mistakes` times at a new place, and gets in.
  void owner(const std::string& name, int mistakes, int second) {
    attempts(mistakes, second, "bad-credential", name, "198.51.100.7");
    attempt(second + mistakes, "ok", name, "198.51.100.7");
  }
  void attacker(int guesses, int second, const std::string& name) {
    attempts(guesses, second, "bad-credential", name, "203.0.113.9");
  }
};

TEST_F(Suggestions, AreTheSmallestLimitsThatSpareEveryOwner) {
  const struct {
    std::vector<int> mistakes;
    const char* suggested;
  } kCases[] = {
      {{0, 1}, "guess-account spares-owners 3 (1:1 3:0 6:0 10:0)"},
      {{5, 2}, "guess-account spares-owners 6 (3:1 5:1 6:0 10:0 12:0)"},
      {{8, 9, 3}, "guess-account spares-owners 10 (5:2 9:1 10:0 20:0)"},
      {{12, 25}, "guess-account spares-owners 30 (10:2 15:1 25:1 30:0 60:0)"},
      {{130}, "guess-account spares-owners 150 (10:1 75:1 125:1 150:0 300:0)"},
  };
  policy::Rule rule = guess_account();
  rule.limit = {10, 1h};
  for (const auto& c : kCases) {
    log_.clear();
    attacker(200, 0, "root");
    for (size_t i = 0; i < c.mistakes.size(); ++i)
      owner("user" + std::to_string(i), c.mistakes[i], 1000 * static_cast<int>(i + 1));
    const Suggestion found = suggested({rule});
    ASSERT_EQ(found.rules.size(), 1u);
    EXPECT_EQ(to_text(found.rules[0]), c.suggested);
    EXPECT_EQ(found.together.owners_struck, 0u);
    EXPECT_EQ(found.logins, c.mistakes.size());
    EXPECT_EQ(found.guesses, 200u);
    EXPECT_EQ(found.loosened, 0u);
  }
}

TEST_F(Suggestions, NameTheOwnerWhoCameNearest) {
  attacker(100, 0, "root");
  owner("alice", 7, 1000);
  owner("bob", 4, 2000);
  const Suggestion found = suggested({guess_account()});
  const SuggestedRule& rule = found.rules.at(0);
  ASSERT_TRUE(rule.nearest);
  EXPECT_EQ(rule.rule.limit.events, 8u);
  EXPECT_EQ(rule.nearest_at, 7u);
  EXPECT_EQ(rule.nearest->user, "alice");
  EXPECT_EQ(rule.nearest->rip->to_string(), "198.51.100.7");
  EXPECT_EQ(shown(rule.nearest->at), "2030-11-30T00:16:47Z");
  EXPECT_EQ(found.base_trial.owners_struck, 2u);
  EXPECT_EQ(found.together.guesses_let, 8u);
}

TEST_F(Suggestions, SayWhenNoLimitThatStopsAGuessSparesEveryOwner) {
  attacker(40, 0, "alice");
  owner("alice", 0, 50);
  const Suggestion found = suggested({guess_account()});
  const SuggestedRule& rule = found.rules.at(0);
  EXPECT_EQ(rule.advice, Advice::kCostly);
  EXPECT_FALSE(rule.rule.enabled);
  EXPECT_EQ(found.together.owners_struck, 0u);
  EXPECT_EQ(found.together.guesses_let, 40u);
  // It costs one login whatever the limit, so the one that stops most is the cheapest.
  EXPECT_EQ(rule.rule.limit.events, 3u);
  // Was it her?
  const Suggestion without = suggested({guess_account()}, {"alice"});
  EXPECT_EQ(without.rules.at(0).advice, Advice::kUntouched);
  EXPECT_EQ(without.logins, 0u);
  EXPECT_EQ(without.aside_logins, 1u);
  EXPECT_EQ(without.together.aside_struck, 1u);
}

TEST_F(Suggestions, LeaveARuleAsItIsThatTheLogsSayNothingOf) {
  policy::Rule spray = guess_account();
  spray.name = "spray-password";
  spray.by = policy::By::kPassword;
  policy::Rule quiet = guess_account();
  quiet.name = "quiet";
  quiet.count = policy::Count::kUnknownUsers;
  quiet.limit.events = 17;
  attacker(2, 0, "alice");
  owner("alice", 0, 50);
  const Suggestion found = suggested({spray, quiet});
  EXPECT_EQ(to_text(found.rules.at(0)), "spray-password blind 3");
  EXPECT_EQ(found.rules.at(1).advice, Advice::kUntouched);
  EXPECT_EQ(found.rules.at(1).rule.limit.events, 17u);
}

TEST_F(Suggestions, SpareOwnersTogetherToo) {
  // Alone `user` locks alice in the third second, for a minute. Together with `address`, which
  // stops the first attacker before, it is the second attacker's guess that locks her when she
  // comes.
  policy::Rule address = guess_account();
  address.name = "address";
  address.by = policy::By::kIp;
  address.limit = {2, 1h};
  policy::Rule user = guess_account();
  user.name = "user";
  user.limit = {3, 1h};
  user.lasts = 60s;
  attempts(4, 0, "bad-credential", "alice", "203.0.113.1");
  attempt(65, "bad-credential", "alice", "203.0.113.2");
  attempt(70, "ok", "alice", "198.51.100.7");
  const Suggestion found = suggested({address, user});
  EXPECT_EQ(found.base_trial.owners_struck, 1u);
  EXPECT_EQ(found.loosened, 1u);
  EXPECT_EQ(found.rules.at(0).rule.limit.events, 2u);
  EXPECT_EQ(found.rules.at(1).alone, 3u);
  EXPECT_EQ(found.rules.at(1).rule.limit.events, 5u);
  EXPECT_EQ(found.together.owners_struck, 0u);
}

TEST_F(Suggestions, NameAccountsThatLookStolen) {
  owner("alice", 0, 0);
  owner("bob", 0, 0);
  attacker(30, 10, "alice");
  for (int i = 0; i < 12; ++i) attempt(100 + i, "ok", "alice", "203.0." + std::to_string(i) + ".1");
  for (int i = 0; i < 30; ++i)  // at home with many addresses
    attempt(200 + i, "ok", "bob", "198.51.100." + std::to_string(i));
  Suggestion found = suggested({guess_account()});
  ASSERT_EQ(found.strange.size(), 1u);
  EXPECT_EQ(found.strange[0].user, "alice");
  EXPECT_EQ(found.strange[0].networks, 13u);
  EXPECT_EQ(found.strange[0].logins, 13u);
  EXPECT_EQ(found.rules.at(0).advice, Advice::kCostly);
  found = suggested({guess_account()}, {}, true);
  EXPECT_EQ(found.rules.at(0).rule.limit.events, 3u);
  EXPECT_TRUE(found.rules.at(0).rule.enabled);
  EXPECT_EQ(found.logins, 31u);
}

TEST_F(Suggestions, SpareOwnersOnlyFromWhenNetworksAreLearnt) {
  // In the first hours bob, whom strangers guess at, is a stranger himself.
  policy::Rule rule = guess_account();
  rule.spare_familiar = true;
  attacker(30, 0, "bob");
  owner("bob", 0, 40);
  owner("alice", 0, 50);
  owner("bob", 0, 7200);
  attacker(30, 86400, "bob");
  owner("bob", 0, 86400 + 40);
  EXPECT_EQ(suggested({rule}).rules.at(0).advice, Advice::kCostly);
  const Suggestion found = suggested({rule}, {}, false, 3h);
  EXPECT_EQ(to_text(found.rules.at(0)), "guess-account spares-owners 3 (1:0 3:0 6:0)");
  EXPECT_EQ(found.logins, 1u);
  EXPECT_EQ(found.early_logins, 3u);
  EXPECT_EQ(found.together.early_struck, 1u);
  const Suggestion without = suggested({rule}, {"bob"}, false, 3h);
  EXPECT_EQ(without.logins, 0u);
  EXPECT_EQ(without.aside_logins, 3u);
  EXPECT_EQ(without.early_logins, 1u);
}

TEST_F(Suggestions, WarnOfLogsThatAreTooShort) {
  attacker(9, 0, "root");
  EXPECT_THAT(suggested({guess_account()}).warnings,
              ElementsAre("the logs span 8s only: give it seven days at least, better a month",
                          ::testing::StartsWith("no owner's login in these logs")));
  owner("alice", 0, 8 * 86400);
  EXPECT_THAT(suggested({guess_account()}).warnings,
              ElementsAre(::testing::StartsWith("only 1 login of owners")));
}

TEST(Ladder, HasTheNumbersThatPeopleWrite) {
  const auto& ladder = limit_ladder();
  EXPECT_TRUE(std::is_sorted(ladder.begin(), ladder.end()));
  EXPECT_EQ(std::adjacent_find(ladder.begin(), ladder.end()), ladder.end());
  EXPECT_EQ(ladder.front(), 1u);
  EXPECT_EQ(ladder.back(), policy::kMaxLimitEvents);
}

// What is said of the rules of a preset for logs of one kind.
std::vector<std::string> doubts(Origin origin, uint64_t unnamed, uint64_t passwords = 0) {
  policy::Settings settings;
  settings.rules = *policy::preset_rules("small-site");
  Summary summary;
  summary.attempts = 100;
  summary.unnamed = unnamed;
  summary.failed_by_origin[static_cast<size_t>(origin)] = 100;
  summary.with_password = passwords;
  std::vector<std::string> texts;
  for (const Caveat& caveat : caveats_of(settings, summary, passwords > 0))
    texts.push_back((caveat.blind ? "blind " : "") + shown(caveat).substr(0, 60));
  return texts;
}

TEST(Caveats, AreToldRuleByRule) {
  EXPECT_THAT(doubts(Origin::kAudit, 0),
              ElementsAre("blind spray-password: cannot be judged, and never trips here: no l",
                          "familiar networks are learnt from these logs alone: near the"));
  EXPECT_THAT(doubts(Origin::kSmtpd, 30),
              ElementsAre("guess-account, guess-familiar, guess-address, guess-network:",
                          "guess-account, guess-familiar, spray-address: without the 30",
                          "blind unknown-users, unknown-name: cannot be judged, and never tri",
                          "blind spray-password: cannot be judged, and never trips here: no l",
                          "familiar networks are learnt from these logs alone: near the"));
  EXPECT_THAT(doubts(Origin::kAuth, 0, 40),
              ElementsAre("guess-account, guess-familiar, guess-address, guess-network,",
                          "spray-password: only passwords that Dovecot logged a hash of",
                          "familiar networks are learnt from these logs alone: near the"));
  EXPECT_THAT(doubts(Origin::kAuth, 0, 100),
              ElementsAre("familiar networks are learnt from these logs alone: near the"));
}

TEST(Words, AreForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(12345678), "12,345,678");
  EXPECT_EQ(percent(1, 3), "33.3 %");
  EXPECT_EQ(percent(1, 100000), "0.001 %");
  EXPECT_EQ(percent(0, 0), "0 %");
  EXPECT_EQ(shown(policy::Duration(0)), "0s");
  EXPECT_EQ(shown(policy::Duration(200s)), "3m 20s");
  EXPECT_EQ(shown(policy::Duration(49h + 5min)), "2d 1h");
  EXPECT_EQ(shown(policy::Limit{10, 24h}), "10/24h");
  EXPECT_EQ(many(1, "address"), "1 address");
  EXPECT_EQ(many(2, "address"), "2 addresses");
}

}  // namespace
}  // namespace saslatch::replay
