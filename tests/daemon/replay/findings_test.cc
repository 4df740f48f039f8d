// What a policy would have done: the engine's verdicts, the figures, what the logs cannot tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/policy/presets.h"
#include "daemon/replay/replay.h"
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
