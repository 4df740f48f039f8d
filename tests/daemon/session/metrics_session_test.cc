#include "daemon/session/metrics_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace saslatch {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class MetricsSessionTest : public testing::Test {
 protected:
  std::string said(std::string_view bytes) {
    session_.receive(bytes, now_);
    return session_.take_output();
  }

  Metrics metrics_;
  Now now_{Mono(1h), {}, {}};
  MetricsSession session_{metrics_, now_};
};

TEST_F(MetricsSessionTest, AnswersGetMetricsAndIsOver) {
  metrics_.locks.set(5);
  const std::string answer = said("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr("\nsaslatch_locks 5\n"));
  const size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_THAT(answer,
              HasSubstr("Content-Length: " + std::to_string(answer.size() - body) + "\r\n"));
  EXPECT_TRUE(session_.is_over());
  EXPECT_EQ(said("GET /metrics HTTP/1.1\r\n\r\n"), "") << "answered after the end";
}

TEST_F(MetricsSessionTest, TakesARequestInAnyPieces) {
  std::string answer;
  for (const char c : std::string_view("GET /metrics?x HTTP/1.0\nAccept: a\n\n")) {
    EXPECT_EQ(answer, "");
    answer += said({&c, 1});
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(MetricsFormat, IsWhatTheClientPrefers) {
  const std::string plain = "Content-Type: text/plain; version=0.0.4";
  const std::string open = "Content-Type: application/openmetrics-text; version=1.0.0";
  const std::pair<std::string, std::string> kCases[] = {
      {"", plain},
      {"Accept: */*\r\n", plain},
      {"Accept: application/openmetrics-text\r\n", open},
      {"accept:APPLICATION/OpenMetrics-Text ; version=1.0.0\n", open},
      {"Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
       "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n",
       open},
      {"Accept: text/plain\r\nAccept: application/openmetrics-text;q=0.5\r\n", plain},
      {"Accept: application/openmetrics-text;q=0\r\n", plain},
      {"X-Accept: application/openmetrics-text\r\n", plain},
      {"Accept: application/openmetrics-text;q=,;;,\r\n", open},
  };
  for (const auto& [fields, type] : kCases) {
    Metrics metrics;
    const Now now{Mono(1h), {}, {}};
    MetricsSession session{metrics, now};
    session.receive("GET /metrics HTTP/1.1\r\n" + fields + "\r\n", now);
    EXPECT_THAT(session.take_output(), HasSubstr("\r\n" + type)) << fields;
  }
}

TEST_F(MetricsSessionTest, AnswersHeadWithoutABody) {
  const std::string answer = said("HEAD /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length: 0")));
}

TEST_F(MetricsSessionTest, RefusesAllElseAndSaysWhy) {
  const std::pair<std::string, const char*> kCases[] = {
      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
      {"GET /metrics/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
      {"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD"},
      {"VERSION\t1\t2\nCPID\t1\n\n", "HTTP/1.1 400 Bad Request\r\n"},
      {"GET /metrics\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
      {"GET  HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
      {" /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
      {"GET /metrics HTTP/2\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
      {"\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
      {std::string(MetricsSession::kMaxHead + 1, 'x'), "HTTP/1.1 431 "},
  };
  for (const auto& [request, status] : kCases) {
    MetricsSession session(metrics_, now_);
    session.receive(request, now_);
    EXPECT_THAT(session.take_output(), StartsWith(status)) << request;
    EXPECT_TRUE(session.is_over());
  }
}

TEST_F(MetricsSessionTest, DropsAClientThatNeverAsks) {
  ASSERT_TRUE(session_.next_deadline());
  EXPECT_EQ(*session_.next_deadline(), now_.mono + MetricsSession::kPatience);
  EXPECT_EQ(said("GET /met"), "");
  now_.mono += MetricsSession::kPatience - 1ms;
  session_.on_deadline(now_);
  EXPECT_FALSE(session_.is_over());
  now_.mono += 1ms;
  session_.on_deadline(now_);
  EXPECT_TRUE(session_.is_over());
  EXPECT_EQ(session_.take_output(), "");
}

}  // namespace
}  // namespace saslatch
