#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/saslauthd/reply.h"
#include "protocol/saslauthd/request.h"

namespace saslatch::saslauthd {
namespace {

using State = RequestParser::State;
using testing::HasSubstr;

std::string counted(std::string_view bytes) {
  std::string out{static_cast<char>(bytes.size() >> 8), static_cast<char>(bytes.size() & 0xFF)};
  return out.append(bytes);
}

std::string message(std::initializer_list<std::string_view> fields) {
  std::string out;
  for (const std::string_view field : fields) out += counted(field);
  return out;
}

TEST(MuxRequestParser, ReadsTheRequestOfLibsasl2) {
  // The example of a Cyrus SASL client: alice, secret, smtp, example.com.
  using namespace std::string_literals;
  RequestParser parser;
  const auto state = parser.receive("\0\5alice\0\6secret\0\4smtp\0\13example.com"s);
  ASSERT_TRUE(state);
  EXPECT_EQ(*state, State::kMaybeFifth);
  const Request request = parser.take();
  EXPECT_EQ(request.login, "alice");
  EXPECT_EQ(request.password.reveal(), "secret");
  EXPECT_EQ(request.service, "smtp");
  EXPECT_EQ(request.realm, "example.com");
  EXPECT_EQ(request.rip, std::nullopt);
  EXPECT_EQ(request.authcid(), "alice@example.com");
}

TEST(MuxRequestParser, JoinsOnlyARealmThatIsThere) {
  RequestParser parser;
  ASSERT_EQ(parser.receive(message({"alice@here", "secret", "", ""})), State::kMaybeFifth);
  EXPECT_EQ(parser.take().authcid(), "alice@here");
}

TEST(MuxRequestParser, LeavesWhatIsEmptyToItsOwner) {
  RequestParser parser;
  ASSERT_EQ(parser.receive(std::string(8, '\0')), State::kMaybeFifth);
  const Request request = parser.take();
  EXPECT_EQ(request.authcid(), "");
  EXPECT_TRUE(request.password.empty());
}

TEST(MuxRequestParser, ReadsTheSameHoweverItIsCut) {
  const std::string whole = message({"alice", "secret", "", "example.com", "192.0.2.1;25"});
  const size_t four = whole.size() - counted("192.0.2.1;25").size();
  for (size_t step = 1; step <= whole.size(); ++step) {
    SCOPED_TRACE(step);
    RequestParser parser;
    for (size_t at = 0; at < whole.size(); at += step) {
      const size_t end = std::min(at + step, whole.size());
      const auto state = parser.receive(std::string_view(whole).substr(at, end - at));
      ASSERT_TRUE(state) << state.error().message;
      EXPECT_EQ(*state, end < four           ? State::kNeedMore
                        : end < whole.size() ? State::kMaybeFifth
                                             : State::kComplete);
    }
    const Request request = parser.take();
    EXPECT_EQ(request.authcid(), "alice@example.com");
    EXPECT_EQ(request.password.reveal(), "secret");
    ASSERT_TRUE(request.rip);
    EXPECT_EQ(request.rip->to_string(), "192.0.2.1");
  }
}

TEST(MuxRequestParser, DropsAFifthFieldThatDoesNotArrive) {
  const std::string four = message({"alice", "secret", "smtp", ""});
  const std::string fifth = counted("192.0.2.1;25");
  for (size_t part = 0; part < fifth.size(); ++part) {
    RequestParser parser;
    ASSERT_EQ(parser.receive(four + fifth.substr(0, part)), State::kMaybeFifth) << part;
    const Request request = parser.take();
    EXPECT_EQ(request.login, "alice");
    EXPECT_EQ(request.rip, std::nullopt);
  }
}

TEST(MuxRequestParser, TakesAnAddressOnlyForAnAddress) {
  const struct {
    const char* field;
    const char* rip;  // "" for none
  } kCases[] = {{"192.0.2.1;25", "192.0.2.1"},
                {"2001:db8::1;40000", "2001:db8::1"},
                {"::ffff:192.0.2.1;25", "192.0.2.1"},
                {"192.0.2.1", "192.0.2.1"},
                {"", ""},
                {";25", ""},
                {"localhost;25", ""},
                {"[::1];25", ""}};
  for (const auto& c : kCases) {
    RequestParser parser;
    ASSERT_EQ(parser.receive(message({"alice", "secret", "smtp", "", c.field})), State::kComplete);
    const Request request = parser.take();
    EXPECT_EQ(request.rip ? request.rip->to_string() : "", c.rip) << c.field;
  }
}

TEST(MuxRequestParser, TakesFieldsAtTheirLongestAndNoneBeyond) {
  const std::string longest(kMaxField, 'x');
  RequestParser parser;
  ASSERT_EQ(parser.receive(message({longest, longest, longest, longest})), State::kMaybeFifth);
  EXPECT_EQ(parser.take().password.reveal(), longest);
}

TEST(MuxRequestParser, RefusesNonsenseWithoutQuotingIt) {
  const std::string tooLong(kMaxField + 1, 'x');
  const struct {
    std::string bytes;
    const char* says;
  } kCases[] = {
      {message({tooLong}), "login of 1025 bytes; accepted: up to 1024"},
      {message({"alice", tooLong}), "password of 1025 bytes"},
      {message({"alice", "secret", tooLong}), "service of"},
      {message({"alice", "secret", "smtp", tooLong}), "realm of"},
      {message({"alice", "secret", "smtp", "", tooLong}), "address of"},
      {"\xff\xff", "login of 65535"},
      {message({std::string_view("al\0ce", 5)}), "NUL byte in the login"},
      {message({"alice", std::string_view("sec\0et", 6)}), "NUL byte in the password"},
      {message({"alice", "secret", std::string_view("\0", 1)}), "NUL byte in the service"},
      {message({"alice", "secret", "smtp", "", "192.0.2.1;25"}) + "x", "behind the fifth"},
  };
  for (const auto& c : kCases) {
    RequestParser parser;
    const auto state = parser.receive(c.bytes);
    ASSERT_FALSE(state) << c.says;
    EXPECT_THAT(state.error().message, HasSubstr(c.says));
    EXPECT_THAT(state.error().message, testing::Not(HasSubstr("secret")));
    // The length alone is enough to refuse: nothing is waited for, nothing is stored.
    if (c.bytes.size() > 2 + kMaxField) {
      RequestParser early;
      EXPECT_FALSE(early.receive(std::string_view(c.bytes).substr(0, c.bytes.size() - kMaxField)));
    }
  }
}

TEST(MuxEncodeRequest, IsWhatTheParserReads) {
  Request request{.login = "alice",
                  .password = Secret("s\xff cret"),
                  .service = "smtp",
                  .realm = "example.com",
                  .rip = std::nullopt};
  RequestParser without;
  ASSERT_EQ(without.receive(encode_request(request)->reveal()), State::kMaybeFifth);
  EXPECT_EQ(without.take().password.reveal(), "s\xff cret");
  request.rip = IpAddress::parse("2001:db8::1");
  RequestParser with;
  ASSERT_EQ(with.receive(encode_request(request)->reveal()), State::kComplete);
  EXPECT_EQ(with.take().rip, request.rip);
}

TEST(MuxEncodeRequest, RefusesWhatAServerWould) {
  const auto request = [](std::string login, std::string_view password) {
    return Request{.login = std::move(login),
                   .password = Secret(password),
                   .service = "",
                   .realm = "",
                   .rip = std::nullopt};
  };
  EXPECT_TRUE(encode_request(request("a", "b")));
  EXPECT_TRUE(encode_request(request("", "")));
  EXPECT_FALSE(encode_request(request("a", std::string_view("b\0", 2))));
  EXPECT_FALSE(encode_request(request(std::string(kMaxField + 1, 'a'), "b")));
}

TEST(MuxReply, IsReadAsItWasWritten) {
  const Reply kReplies[] = {{true, ""}, {false, ""}, {false, "authentication failed"}};
  const char* const kTexts[] = {"OK", "NO", "NO authentication failed"};
  for (size_t i = 0; i < 3; ++i) {
    const std::string bytes = encode_reply(kReplies[i]);
    EXPECT_EQ(bytes, counted(kTexts[i]));
    ReplyParser parser;
    for (size_t at = 0; at + 1 < bytes.size(); ++at) {
      const auto early = parser.receive(bytes.substr(at, 1));
      ASSERT_TRUE(early);
      EXPECT_FALSE(*early);
    }
    const auto reply = parser.receive(bytes.substr(bytes.size() - 1));
    ASSERT_TRUE(reply && *reply);
    EXPECT_EQ((*reply)->ok, kReplies[i].ok);
    EXPECT_EQ((*reply)->explanation, kReplies[i].explanation);
  }
}

TEST(MuxReply, IsCutAtWhatLibsasl2Reads) {
  const std::string bytes = encode_reply({false, std::string(5000, 'x')});
  EXPECT_EQ(bytes.size(), 2 + kMaxReply);
  ReplyParser parser;
  EXPECT_TRUE(parser.receive(bytes));
}

TEST(MuxReplyParser, RefusesNonsense) {
  for (const std::string& bytes : {counted("O"), counted(""), counted("HI"), counted("ok"),
                                   counted(std::string(kMaxReply + 1, 'O'))}) {
    ReplyParser parser;
    EXPECT_FALSE(parser.receive(bytes)) << bytes;
  }
}

}  // namespace
}  // namespace saslatch::saslauthd
