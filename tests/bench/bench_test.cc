#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/bench/conversation.h"
#include "tests/bench/latency.h"
#include "tests/bench/load.h"

namespace saslatch::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Options> parse(std::vector<std::string> arguments, const std::string& input = "secret\n") {
  std::istringstream in(input);
  return parse_options(arguments, in);
}

Options options_for(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--socket", "/s", "--user", "tim", "--password-stdin"});
  auto options = parse(std::move(arguments));
  EXPECT_TRUE(options) << options.error().message;
  return options ? std::move(*options) : Options{};
}

TEST(BenchLatencies, AreWithinOnePercent) {
  Latencies latencies;
  for (int i = 1; i <= 100'000; ++i) latencies.add(Duration(i * 1000));
  for (const double percent : {1.0, 50.0, 90.0, 99.0}) {
    const auto exact = percent * 1e6;
    const auto seen = static_cast<double>(latencies.percentile(percent).count());
    EXPECT_GE(seen, exact) << percent;
    EXPECT_LE(seen, exact * 1.01) << percent;
  }
  EXPECT_EQ(latencies.percentile(100), Duration(100'000'000));
  EXPECT_EQ(latencies.max(), Duration(100'000'000));
}

TEST(BenchLatencies, TakeEveryValue) {
  Latencies latencies;
  EXPECT_EQ(latencies.percentile(50), Duration(0));
  for (int bit = 0; bit < 63; ++bit) latencies.add(Duration(int64_t{1} << bit));
  latencies.add(Duration::max());
  latencies.add(Duration(-1));
  EXPECT_EQ(latencies.count(), 65u);
  EXPECT_EQ(latencies.percentile(100), Duration::max());
  EXPECT_EQ(latencies.percentile(0.1), Duration(0));
}

TEST(BenchWrong, IsExactlyItsShareAndEvenlySpread) {
  for (const unsigned percent : {0u, 1u, 10u, 33u, 100u}) {
    unsigned wrong = 0;
    for (uint64_t i = 0; i < 1000; ++i) wrong += is_wrong(i, percent) ? 1 : 0;
    EXPECT_EQ(wrong, percent * 10) << percent;
  }
}

TEST(BenchOptions, AreRead) {
  const auto options =
      parse({"--tcp=localhost:12345", "--mechanism", "CRAM-MD5", "--connections", "7",
             "--outstanding=3", "--count", "9", "--user", "tim", "--password-stdin", "--server-pid",
             "1100011,12", "--json", "--rip", "2001:db8::1", "--timeout", "500ms"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->host, "localhost");
  EXPECT_EQ(options->port, "12345");
  EXPECT_EQ(options->mechanism, Mechanism::kCramMd5);
  EXPECT_EQ(options->connections, 7u);
  EXPECT_EQ(options->outstanding, 3u);
  EXPECT_EQ(options->count, 9u);
  EXPECT_EQ(options->timeout, std::chrono::milliseconds(500));
  EXPECT_THAT(options->server_pids, ElementsAre(1100011, 12));
  ASSERT_EQ(options->users.size(), 1u);
  EXPECT_EQ(options->users[0].password, "secret");
}

TEST(BenchOptions, SayWhatTheyAccept) {
  const std::vector<std::string> kUser = {"--user", "tim", "--password-stdin"};
  const struct {
    std::vector<std::string> arguments;
    const char* says;
  } kCases[] = {
      {{}, "--socket PATH and --tcp HOST:PORT"},
      {{"--socket", "/s", "--tcp", "h:1"}, "--socket PATH and --tcp HOST:PORT"},
      {{"--tcp", "h:0"}, "HOST:PORT"},
      {{"--socket", "/s", "--protocol", "imap"}, "dovecot, saslauthd"},
      {{"--socket", "/s", "--mechanism", "NTLM"}, "PLAIN, LOGIN, CRAM-MD5"},
      {{"--socket", "/s", "--protocol", "saslauthd", "--mechanism", "LOGIN"}, "saslauthd"},
      {{"--socket", "/s", "--connections", "0"}, "1 to"},
      {{"--socket", "/s", "--connections", "5x"}, "1 to"},
      {{"--socket", "/s", "--wrong-percent", "101"}, "0 to 100"},
      {{"--socket", "/s", "--duration", "5"}, "5s"},
      {{"--socket", "/s", "--duration", "5s", "--count", "5"}, "exclude"},
      {{"--socket", "/s", "--reconnect", "--outstanding", "2"}, "--outstanding"},
      {{"--socket", "/s", "--server-pid", "1,,2"}, "PID"},
      {{"--socket", "/s", "--rip", "here"}, "IP address"},
      {{"--socket", "/s", "--users", "/nonexistent"}, "--users"},
      {{"--socket", "/s", "--verbose"}, "unknown argument '--verbose'"},
      {{"--socket"}, "needs a value"},
      {{"--socket", "/s", "--socket", "/t"}, "twice"},
      {{"--socket", "/s", "--json=yes"}, "no value"},
  };
  for (const auto& c : kCases) {
    auto arguments = c.arguments;
    arguments.insert(arguments.begin(), kUser.begin(), kUser.end());
    const auto options = parse(arguments);
    ASSERT_FALSE(options) << c.says;
    EXPECT_THAT(options.error().message, HasSubstr(c.says));
  }
  EXPECT_THAT(parse({"--socket", "/s", "--user", "tim"}).error().message,
              HasSubstr("--password-stdin"));
}

// Sends `bytes` and expects nothing wrong with them.
std::vector<Answer> received(Conversation& conversation, std::string_view bytes) {
  std::vector<Answer> answers;
  const auto taken = conversation.receive(bytes, answers);
  EXPECT_TRUE(taken) << taken.error().message;
  return answers;
}

constexpr std::string_view kHandshake =
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tCRAM-MD5\n"
    "SPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n";

TEST(BenchConversation, AnswersAreMatchedToTheirRequests) {
  const auto conversation = make_conversation(options_for({"--rip", "192.0.2.1"}));
  EXPECT_THAT(conversation->output(), testing::MatchesRegex("VERSION\t1\t2\nCPID\t[0-9]+\n"));
  conversation->output().clear();
  received(*conversation, kHandshake.substr(0, 30));
  EXPECT_FALSE(conversation->is_ready());
  received(*conversation, kHandshake.substr(30));
  ASSERT_TRUE(conversation->is_ready());
  ASSERT_TRUE(conversation->begin({"tim", "secret"}));
  ASSERT_TRUE(conversation->begin({"tim", "wrong"}));
  EXPECT_THAT(conversation->output(), HasSubstr("AUTH\t1\tPLAIN\tservice=smtp\t"));
  EXPECT_THAT(conversation->output(), HasSubstr("\trip=192.0.2.1\t"));
  EXPECT_THAT(conversation->output(), HasSubstr("\tresp=AHRpbQBzZWNyZXQ=\n"));
  EXPECT_THAT(conversation->output(), testing::EndsWith("\tresp=AHRpbQB3cm9uZw==\n"));
  const auto answers = received(*conversation, "FAIL\t2\tuser=tim\nOK\t1\tuser=tim\nOK");
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].id, 2u);
  EXPECT_FALSE(answers[0].accepted);
  EXPECT_EQ(answers[1].id, 1u);
  EXPECT_TRUE(answers[1].accepted);
}

TEST(BenchConversation, LoginAndCramMd5AnswerTheirChallenges) {
  const struct {
    const char* mechanism;
    std::vector<std::pair<std::string, std::string>> turns;  // challenge, response
  } kCases[] = {
      {"LOGIN", {{"VXNlcm5hbWU6", "dGlt"}, {"UGFzc3dvcmQ6", "dGFuc3RhYWZ0YW5zdGFhZg=="}}},
      {"CRAM-MD5",  // RFC 2195, section 2
       {{"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
         "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"}}},
  };
  for (const auto& c : kCases) {
    const auto conversation = make_conversation(options_for({"--mechanism", c.mechanism}));
    received(*conversation, kHandshake);
    conversation->output().clear();
    ASSERT_TRUE(conversation->begin({"tim", "tanstaaftanstaaf"}));
    for (const auto& [challenge, response] : c.turns) {
      conversation->output().clear();
      EXPECT_TRUE(received(*conversation, "CONT\t1\t" + challenge + "\n").empty());
      EXPECT_EQ(conversation->output(), "CONT\t1\t" + response + "\n");
    }
    EXPECT_EQ(received(*conversation, "OK\t1\tuser=tim\n").size(), 1u);
  }
}

TEST(BenchConversation, AServerThatIsOfNoUseIsAnError) {
  for (const std::string_view bytes : {"VERSION\t2\t0\n", "VERSION\t1\t2\nMECH\tLOGIN\nDONE\n",
                                       "VERSION\t1\t2\nMECH\tPLAIN\nDONE\nCONT\t1\t\n"}) {
    const auto conversation = make_conversation(options_for({}));
    std::vector<Answer> answers;
    auto taken = conversation->receive(bytes, answers);
    // A challenge is wrong only once there is something to challenge.
    if (taken && conversation->begin({"tim", "secret"})) {
      taken = conversation->receive("CONT\t1\t\n", answers);
    }
    EXPECT_FALSE(taken) << bytes;
  }
}

}  // namespace
}  // namespace saslatch::bench
