#include "daemon/session/saslauthd_session.h"

#include <gtest/gtest.h>

#include "protocol/saslauthd/reply.h"
#include "tests/daemon/session/world.h"

namespace saslatch::testing {
namespace {

class SaslauthdSessionTest : public ::testing::Test {
 protected:
  SaslauthdSessionTest() {
    world.passdb->add("alice", "{PLAIN}secret");
    world.passdb->add("alice@example.org", "{PLAIN}other");
    connect("clear");
  }

  void connect(const std::string& listener) {
    box = std::make_shared<LetterBox>();
    session = world.make<SaslauthdSession>(box, listener);
  }

  void ask(const char* login, const char* password, const char* realm = "",
           const char* rip = nullptr) {
    saslauthd::Request request;
    request.login = login;
    request.password = Secret(password);
    request.service = "smtp";
    request.realm = realm;
    if (rip != nullptr) request.rip = IpAddress::parse(rip);
    session->receive(saslauthd::encode_request(request)->reveal(), world.now);
    box->empty_into(world.now);
  }

  void pass(std::chrono::milliseconds time) {
    world.advance(time);
    session->on_deadline(world.now);
    box->empty_into(world.now);
  }

  World world{three_failures_a_minute()};
  std::shared_ptr<LetterBox> box;
  std::unique_ptr<SaslauthdSession> session;
};

const std::string kOk("\0\2OK", 4);
const std::string kNo("\0\2NO", 4);

TEST_F(SaslauthdSessionTest, AnswersFourFieldsWhenNoFifthComesSoon) {
  ask("alice", "secret");
  EXPECT_EQ(session->take_output(), "") << "a fifth field may be on its way";
  ASSERT_TRUE(session->next_deadline());
  EXPECT_EQ(*session->next_deadline() - world.now.mono, SaslauthdSession::kSecondPiecePatience);
  pass(std::chrono::milliseconds(1));
  EXPECT_EQ(session->take_output(), kOk);
  EXPECT_TRUE(session->is_over());
  EXPECT_EQ(world.audited.front(), "ok user=alice mech=PLAIN");
}

TEST_F(SaslauthdSessionTest, WaitsLongerForTheFifthFieldOfAClientThatWritesInPieces) {
  saslauthd::Request request;
  request.login = "alice";
  request.password = Secret("secret");
  request.rip = IpAddress::parse("192.0.2.7");
  const Secret whole = saslauthd::encode_request(request)->clone();
  const std::string_view bytes = whole.reveal();
  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    session->receive(bytes.substr(i, 1), world.now);
    pass(std::chrono::milliseconds(i % 4 == 0 ? 1 : 0));
    ASSERT_EQ(session->take_output(), "") << i;
  }
  session->receive(bytes.substr(bytes.size() - 1), world.now);
  EXPECT_EQ(session->take_output(), kOk);
}

TEST_F(SaslauthdSessionTest, AnswersFiveFieldsAtOnceAndCountsTheirAddress) {
  ask("alice", "secret", "", "192.0.2.7");
  EXPECT_EQ(session->take_output(), kOk);
}

TEST_F(SaslauthdSessionTest, AnswersAClientThatClosedItsWritingSide) {
  ask("alice", "secret");
  session->end_of_input(world.now);
  EXPECT_EQ(session->take_output(), kOk);
}

TEST_F(SaslauthdSessionTest, JoinsLoginAndRealm) {
  ask("alice", "other", "example.org", "192.0.2.7");
  EXPECT_EQ(session->take_output(), kOk);
}

TEST_F(SaslauthdSessionTest, HoldsANoForTheFailureDelay) {
  ask("alice", "wrong", "", "192.0.2.7");
  EXPECT_EQ(session->take_output(), "");
  pass(std::chrono::milliseconds(1000));
  EXPECT_EQ(session->take_output(), "");
  pass(std::chrono::milliseconds(800));
  EXPECT_EQ(session->take_output(), kNo);
  EXPECT_TRUE(session->is_over());
}

TEST_F(SaslauthdSessionTest, ClosesWithoutAReplyWhenThePassdbIsDown) {
  world.passdb->set_down(true);
  ask("alice", "secret", "", "192.0.2.7");
  EXPECT_EQ(session->take_output(), "");
  EXPECT_TRUE(session->is_over());
  EXPECT_EQ(world.audited.front(), "temporary passdb-down user=alice mech=PLAIN");
}

TEST_F(SaslauthdSessionTest, RefusesEverybodyWhereTlsIsDemanded) {
  connect("smtp");
  ask("alice", "secret", "", "192.0.2.7");
  pass(std::chrono::milliseconds(1800));
  EXPECT_EQ(session->take_output(), kNo);
  EXPECT_EQ(world.audited.front(), "fail needs-tls user=alice mech=PLAIN");
  EXPECT_EQ(world.passdb->lookups(), 0);
}

TEST_F(SaslauthdSessionTest, TellsNoToAnEmptyLoginOrPassword) {
  for (const auto& [login, password] : {std::pair{"alice", ""}, std::pair{"", "secret"}}) {
    connect("clear");
    ask(login, password, "", "192.0.2.7");
    pass(std::chrono::milliseconds(1800));
    EXPECT_EQ(session->take_output(), kNo);
  }
  EXPECT_EQ(world.audited.front(), "fail malformed user=alice mech=PLAIN");
  EXPECT_EQ(world.audited.size(), 2u);
  EXPECT_EQ(world.passdb->lookups(), 0);
}

TEST_F(SaslauthdSessionTest, ClosesOnNonsenseAndSaysSoWithoutQuotingIt) {
  session->receive(std::string("\xff\xff", 2), world.now);
  EXPECT_TRUE(session->is_over());
  EXPECT_EQ(session->take_output(), "");
  EXPECT_EQ(world.logged.front(), "protocol-error");
}

TEST_F(SaslauthdSessionTest, LocksLikeEveryOtherListener) {
  for (const char* password : {"a", "b", "c"}) {
    connect("clear");
    ask("alice", password, "", "192.0.2.7");
  }
  connect("clear");
  ask("alice", "secret", "", "192.0.2.7");
  pass(std::chrono::milliseconds(1800));
  EXPECT_EQ(session->take_output(), kNo);
  EXPECT_EQ(world.audited.back(),
            "refused locked user=alice mech=PLAIN rule=guess subject=user:alice");
}

}  // namespace
}  // namespace saslatch::testing
