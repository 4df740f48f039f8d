#include "protocol/sasl/mechanisms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "protocol/base/crypto/system_random.h"
#include "protocol/sasl/cram_md5.h"
#include "protocol/sasl/login.h"
#include "protocol/sasl/plain.h"
#include "protocol/sasl/rules.h"
#include "tests/protocol/sasl/fixed_random.h"

namespace saslatch::sasl {
namespace {

using testing::HasSubstr;
using testing::Not;

template <size_t N>
constexpr std::string_view bytes(const char (&text)[N]) {
  return {text, N - 1};  // with the NUL bytes inside
}

std::unique_ptr<ServerMechanism> begun(const MechanismInfo& info) {
  FixedRandom random(0);
  return info.make({random, "host.example", 0});
}

const std::string kLongestName(kMaxName, 'n');
const std::string kLongestPassword(kMaxPassword, 'p');

TEST(Rules, ANameIsUtf8WithoutNul) {
  for (const std::string_view name :
       {bytes("a"), bytes("alice@example.com"), bytes("a b"), bytes("\x7f"), bytes("\t"),
        bytes("\xc2\x80"), bytes("\xdf\xbf"), bytes("\xe0\xa0\x80"), bytes("\xed\x9f\xbf"),
        bytes("\xee\x80\x80"), bytes("\xf0\x90\x80\x80"), bytes("\xf4\x8f\xbf\xbf"),
        std::string_view(kLongestName)}) {
    EXPECT_TRUE(is_valid_authcid(name)) << name;
  }
  for (const std::string_view name : {bytes(""),
                                      bytes("\0"),
                                      bytes("a\0"),
                                      bytes("\x80"),
                                      bytes("\xbf"),
                                      bytes("\xc0\x80"),
                                      bytes("\xc1\xbf"),
                                      bytes("\xc2"),
                                      bytes("\xc2\x41"),
                                      bytes("\xc2\xc2"),
                                      bytes("\xe0\x9f\xbf"),
                                      bytes("\xe2\x82"),
                                      bytes("\xe2\x82\x41"),
                                      bytes("\xed\xa0\x80"),
                                      bytes("\xf0\x8f\xbf\xbf"),
                                      bytes("\xf0\x9f\x92"),
                                      bytes("\xf4\x90\x80\x80"),
                                      bytes("\xf5\x80\x80\x80"),
                                      bytes("\xff"),
                                      bytes("ok\xfe")}) {
    EXPECT_FALSE(is_valid_authcid(name)) << testing::PrintToString(name);
  }
  EXPECT_FALSE(is_valid_authcid(kLongestName + "n"));
}

TEST(Rules, APasswordIsBytesWithoutNul) {
  EXPECT_TRUE(is_valid_password("\xe4\xf6\xfc"));  // Latin-1
  EXPECT_TRUE(is_valid_password(" \t\r\n"));
  EXPECT_TRUE(is_valid_password(kLongestPassword));
  EXPECT_FALSE(is_valid_password(kLongestPassword + "p"));
  EXPECT_FALSE(is_valid_password(""));
  EXPECT_FALSE(is_valid_password(bytes("a\0b")));
}

TEST(Plain, RefusesWhatIsNoMessageOfItsGrammar) {
  const struct {
    std::string message;
    const char* says;
  } kCases[] = {
      {"", "two NUL"},
      {"tim", "two NUL"},
      {std::string(bytes("tim\0secret")), "two NUL"},
      {std::string(bytes("\0tim\0secret\0")), "password"},
      {std::string(bytes("\0tim\0sec\0ret")), "password"},
      {std::string(bytes("\0\0secret")), "authcid"},
      {std::string(bytes("tim\0\0secret")), "authcid"},
      {std::string(bytes("\0tim\0")), "password"},
      {std::string(bytes("\0\0")), "authcid"},
      {std::string(bytes("\xff\0tim\0secret")), "authzid"},
      {std::string(bytes("\0t\xffm\0secret")), "authcid"},
      {kLongestName + "n" + std::string(bytes("\0tim\0secret")), "authzid"},
      {std::string(1, '\0') + kLongestName + "n" + std::string(bytes("\0secret")), "authcid"},
      {std::string(bytes("\0tim\0")) + kLongestPassword + "p", "password"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(testing::PrintToString(c.message));
    const auto parsed = parse_plain(c.message);
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().message, HasSubstr(c.says));
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("tim")));
    EXPECT_FALSE(plain_mechanism().check_message(0, c.message));
    const auto mechanism = begun(plain_mechanism());
    const Step step = mechanism->start(c.message);
    ASSERT_TRUE(std::holds_alternative<Failure>(step));
    EXPECT_EQ(std::get<Failure>(step).why, Refusal::kMalformed);
  }
}

TEST(Plain, TakesEveryPartAtItsLongest) {
  const Secret message = make_plain({kLongestName, kLongestName, kLongestPassword});
  const auto parsed = parse_plain(message.reveal());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->authzid, kLongestName);
  EXPECT_EQ(parsed->authcid, kLongestName);
  EXPECT_EQ(parsed->password, kLongestPassword);
}

TEST(CramMd5, RefusesWhatIsNoNameWithADigest) {
  const std::string digest = "b913a602c7eda7a495b4e6e7334d3890";
  const std::string kCases[] = {
      "",
      "tim",
      " ",
      digest,
      " " + digest,
      "tim" + digest,
      "tim " + digest + " ",
      "tim " + digest + "\n",
      "tim " + digest.substr(1),
      "tim " + digest + "0",
      "tim 0x" + digest.substr(2),
      "tim " + digest.substr(1) + "g",
      "tim " + digest + std::string(1, '\0'),
      "tim " + digest.substr(1) + std::string(1, '\0'),
      std::string(bytes("t\0m ")) + digest,
      "t\xffm " + digest,
      kLongestName + "n " + digest,
  };
  for (const std::string& message : kCases) {
    SCOPED_TRACE(testing::PrintToString(message));
    EXPECT_FALSE(parse_cram_md5_response(message));
    EXPECT_FALSE(cram_md5_mechanism().check_message(0, message));
  }
  EXPECT_TRUE(parse_cram_md5_response(kLongestName + " " + digest));
  EXPECT_TRUE(cram_md5_mechanism().check_message(0, "tim " + digest));
}

TEST(CramMd5, NeverRepeatsAChallenge) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto mechanism = cram_md5_mechanism().make({random, "host.example", 1700000000});
    const Step step = mechanism->start(std::nullopt);
    const std::string& challenge = std::get<Challenge>(step).bytes;
    EXPECT_THAT(challenge, testing::MatchesRegex("<[0-9]{19}\\.1700000000@host\\.example>"));
    EXPECT_TRUE(seen.insert(challenge).second) << challenge;
  }
}

TEST(CheckMessage, KnowsHowManyMessagesThereAre) {
  EXPECT_TRUE(login_mechanism().check_message(0, "tim"));
  EXPECT_TRUE(login_mechanism().check_message(1, "secret"));
  EXPECT_FALSE(login_mechanism().check_message(0, ""));
  EXPECT_FALSE(login_mechanism().check_message(1, bytes("sec\0ret")));
  EXPECT_FALSE(login_mechanism().check_message(2, "more"));
  EXPECT_TRUE(plain_mechanism().check_message(0, bytes("\0tim\0secret")));
  EXPECT_FALSE(plain_mechanism().check_message(1, bytes("\0tim\0secret")));
  EXPECT_FALSE(cram_md5_mechanism().check_message(1, "tim b913a602c7eda7a495b4e6e7334d3890"));
}

// What each mechanism wants to hear, in order.
std::vector<std::string> good_messages(std::string_view mechanism) {
  if (mechanism == "PLAIN") return {std::string(bytes("\0tim\0secret"))};
  if (mechanism == "LOGIN") return {"tim", "secret"};
  return {"tim b913a602c7eda7a495b4e6e7334d3890"};
}

enum class Call { kStart, kRespond, kVerdict };
constexpr Call kCalls[] = {Call::kStart, Call::kRespond, Call::kVerdict};

Step make_call(ServerMechanism& mechanism, Call call, std::string_view message) {
  switch (call) {
    case Call::kStart:
      return mechanism.start(std::nullopt);
    case Call::kRespond:
      return mechanism.respond(message);
    case Call::kVerdict:
      return mechanism.verdict(Verdict::kMatch);
  }
  return Challenge{};
}

bool is_out_of_turn(const Step& step) {
  const auto* failure = std::get_if<Failure>(&step);
  return failure != nullptr && failure->why == Refusal::kOutOfTurn;
}

TEST(EveryMechanism, AnswersACallOutOfTurnWithFailureForGood) {
  for (const MechanismInfo& info : known_mechanisms()) {
    const std::vector<std::string> messages = good_messages(info.name);
    std::vector<Call> due(messages.size(), Call::kRespond);
    due.insert(due.begin(), Call::kStart);
    due.push_back(Call::kVerdict);
    // A wrong call after each number of right ones, the end of the exchange included.
    for (size_t right = 0; right <= due.size(); ++right) {
      for (const Call wrong : kCalls) {
        if (right < due.size() && wrong == due[right]) continue;
        SCOPED_TRACE(std::string(info.name) + " after " + std::to_string(right));
        const auto mechanism = begun(info);
        for (size_t i = 0; i < right; ++i) {
          const bool responds = due[i] == Call::kRespond;
          ASSERT_FALSE(
              is_out_of_turn(make_call(*mechanism, due[i], responds ? messages[i - 1] : "")));
        }
        EXPECT_TRUE(is_out_of_turn(make_call(*mechanism, wrong, "x")));
        for (const Call after : kCalls) {
          EXPECT_TRUE(is_out_of_turn(make_call(*mechanism, after, "x")));
        }
      }
    }
  }
}

TEST(EveryMechanism, ChecksMessagesAsItsExchangeDoes) {
  for (const MechanismInfo& info : known_mechanisms()) {
    SCOPED_TRACE(info.name);
    const std::vector<std::string> messages = good_messages(info.name);
    for (size_t i = 0; i < messages.size(); ++i) {
      EXPECT_TRUE(info.check_message(i, messages[i]));
    }
    EXPECT_FALSE(info.check_message(messages.size(), messages.back()));
  }
}

}  // namespace
}  // namespace saslatch::sasl
