// The page of --report: whole by itself, and whatever stands in a log is text in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "daemon/replay/html_report.h"
#include "daemon/replay/plot.h"
#include "tests/daemon/replay/kit.h"

namespace saslatch::replay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

policy::Settings settings() {
  policy::Settings settings;
  policy::Rule rule;
  rule.name = "guess-account";
  rule.limit = {3, std::chrono::hours(1)};
  rule.lasts = std::chrono::minutes(10);
  settings.rules = {rule};
  return settings;
}

// Findings in which every text that can come from outside is `text`.
Findings findings_with(const std::string& text) {
  Findings findings;
  findings.policy = findings.other = text;
  findings.zone = text;
  Judge judge(settings());
  Tally tally(settings(), utc_zone());
  for (int i = 0; i < 9; ++i) {
    Attempt attempt;
    attempt.at = kWritten + std::chrono::hours(i * i);
    attempt.result = i == 8 ? Result::kOk : Result::kBadCredential;
    attempt.names_user = true;
    attempt.rip = IpAddress::parse(i == 8 ? "192.0.2.1" : "203.0.113.9");
    if (i > 1 && i < 8) attempt.at = kWritten + std::chrono::hours(60);
    tally.add(attempt, text, judge.judge(attempt, text));
  }
  Attempt owner;
  owner.at = kWritten + std::chrono::hours(60);
  owner.names_user = true;
  owner.rip = IpAddress::parse("192.0.2.1");
  tally.add(owner, text, judge.judge(owner, text));
  findings.summary = tally.summary();
  findings.other_summary = findings.summary;
  findings.files = {{text, 1, 1, text}};
  findings.leftovers.add(Unusable::kNoStamp, text, 1, text);
  findings.caveats = {{{text}, text, true}};
  findings.warnings = {text};
  findings.curves = {
      {"guess-account", {3, std::chrono::hours(1)}, {{1, 9, 0}, {3, 2, 1}, {9, 0, 9}}, 0, 1}};
  return findings;
}

// The page's tags with the names of their attributes, in order.
std::vector<std::string> tags_of(const std::string& html) {
  std::vector<std::string> tags;
  const std::string body = html.substr(html.find("</style>"));
  static const std::regex tag(R"(<[^<>]*>)"), value(R"re("[^"]*")re");
  for (std::sregex_iterator it(body.begin(), body.end(), tag), end; it != end; ++it)
    tags.push_back(std::regex_replace(it->str(), value, "\"\""));
  return tags;
}

const std::string kHostile[] = {
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' style='background:url(//example.com)",
    "&lt;b&gt; &#60;b>",
    "<!-- ",
    "]]><svg/onload=alert(1)>",
    "\\\"><script>",
    std::string("\x00<b>\x1b[31m", 9),
    "\xff\xfe<b>",
    "\xe2\x80\xae<b>",  // right-to-left override
};

TEST(Report, TakesTextsFromLogsAsTexts) {
  const auto expected = tags_of(html_report(findings_with("alice"), utc_zone()));
  ASSERT_GT(expected.size(), 100u);
  for (const std::string& text : kHostile) {
    const std::string html = html_report(findings_with(text), utc_zone());
    EXPECT_EQ(tags_of(html), expected) << text;
    EXPECT_THAT(html, Not(HasSubstr("\xe2\x80\xae")));
    for (const char c : html)
      ASSERT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ') << text;
  }
}

TEST(Report, NeedsNothingButItself) {
  const std::string html = html_report(findings_with("alice"), utc_zone());
  for (const char* outside : {"http:", "https:", "//", "src=", "href=", "url(", "@import",
                              "<script", "<link", "<iframe", "<object"})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  EXPECT_THAT(html, HasSubstr("Content-Security-Policy\" content=\"default-src 'none'"));
}

TEST(Report, ShowsWhatWasFound) {
  const std::string html = html_report(findings_with("alice"), utc_zone());
  for (const char* part :
       {"Attempts over time", "Refused, by rule", "What another limit would change",
        "When they come", "Rule by rule", "Owners refused", "Attacked and attackers",
        "Compared with alice", "What these logs cannot tell", "Lines that were not used",
        "203.0.113.0/24", "3 (knee)"})
    EXPECT_THAT(html, HasSubstr(part));
}

TEST(Report, OfNothingSaysSo) {
  const std::string html = html_report(Findings{}, utc_zone());
  EXPECT_THAT(html, HasSubstr("nothing was decided"));
  EXPECT_THAT(html, Not(HasSubstr("Attempts over time")));
}

TEST(Plot, EscapesText) {
  EXPECT_EQ(html_text("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(html_text("a\\b"), "a\\\\b");
  EXPECT_EQ(html_text("a\nb"), "a\\nb");
  EXPECT_EQ(html_text("\xff"), "\xef\xbf\xbd");
}

// Bars of all widths stay inside the picture and stand on its ground.
TEST(Plot, DrawsBarsInsideTheirPicture) {
  for (const size_t many : {size_t{1}, size_t{2}, size_t{48}}) {
    std::vector<Time> starts;
    Series series{"x", "red", {}};
    for (size_t i = 0; i < many; ++i) {
      starts.push_back(kWritten + std::chrono::hours(i));
      series.values.push_back(i * 1000);
    }
    const std::string svg =
        stacked_bars(starts, std::chrono::hours(1), {series}, utc_zone(), "title");
    static const std::regex bar(
        R"re(<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)")re");
    for (std::sregex_iterator it(svg.begin(), svg.end(), bar), end; it != end; ++it) {
      EXPECT_GE(std::stod((*it)[1]), 64);
      EXPECT_LE(std::stod((*it)[1]) + std::stod((*it)[3]), 1000);
      EXPECT_GE(std::stod((*it)[2]), 0);
      EXPECT_NEAR(std::stod((*it)[2]) + std::stod((*it)[4]), 264, 0.2);
    }
  }
  EXPECT_THAT(stacked_bars({}, std::chrono::hours(1), {}, utc_zone(), "t"), HasSubstr("none"));
}

}  // namespace
}  // namespace saslatch::replay
