// The daemon away, late, hung or restarted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/plugin/application.h"
#include "tests/plugin/auth_daemon.h"

namespace saslatch::plugin {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMechanisms = "PLAIN LOGIN CRAM-MD5";

class Outages : public ::testing::Test {
 protected:
  AuthDaemon daemon;
  // Short where it must be waited for; ample for an answer of the daemon above.
  Application application{{{"saslatch_socket", daemon.socket()},
                           {"saslatch_timeout", "2s"},
                           {"mech_list", kMechanisms}}};
};

TEST_F(Outages, TakeNoMechanismAwayAndLookLikeNoWrongPassword) {
  Session session;
  EXPECT_EQ(session.mechanisms(), kMechanisms);
  EXPECT_EQ(session.plain("alice", secret_of("alice")), SASL_UNAVAIL);
  EXPECT_EQ(session.login("alice", secret_of("alice")), SASL_UNAVAIL);
  EXPECT_EQ(session.cram_md5("alice", secret_of("alice")), SASL_UNAVAIL);
  EXPECT_THAT(application.log(),
              HasSubstr("cannot connect to " + daemon.socket() + ": No such file or directory"));
  daemon.start();
  EXPECT_EQ(session.plain("alice", secret_of("alice")), SASL_OK);
}

TEST_F(Outages, OfAnIdleConnectionAreNotNoticed) {
  daemon.start();
  for (int i = 0; i < 5; ++i) {
    for (const bool plain : {true, false}) {
      Session session;
      EXPECT_EQ(plain ? session.plain("alice", secret_of("alice"))
                      : session.cram_md5("alice", secret_of("alice")),
                SASL_OK);
      daemon.kill();
      daemon.start();
    }
  }
  EXPECT_EQ(daemon.connections(), 10);
  EXPECT_EQ(application.log(), "");
}

TEST_F(Outages, InMidExchangeAreATemporaryFailure) {
  daemon.start();
  Session session;
  ASSERT_EQ(session.start("LOGIN"), SASL_CONTINUE);
  daemon.kill();
  daemon.start();
  EXPECT_EQ(session.step("alice"), SASL_UNAVAIL);
  EXPECT_EQ(session.login("alice", secret_of("alice")), SASL_OK);
}

TEST_F(Outages, LetNoExchangeGoOnAsAnother) {
  daemon.start();
  Session before;
  ASSERT_EQ(before.start("LOGIN"), SASL_CONTINUE);
  daemon.kill();
  daemon.start();
  Session after;  // the first of its connection, as the other was of its own
  ASSERT_EQ(after.start("LOGIN"), SASL_CONTINUE);
  EXPECT_EQ(before.step("mallory"), SASL_UNAVAIL);
  ASSERT_EQ(after.step("alice"), SASL_CONTINUE);
  EXPECT_EQ(after.step(secret_of("alice")), SASL_OK);
  EXPECT_EQ(after.username(), "alice");
}

TEST_F(Outages, VerifyNoPasswordTwice) {
  daemon.start();
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
  // The daemon closes the connection where the answer should be.
  EXPECT_EQ(Session().plain("busy", secret_of("busy")), SASL_UNAVAIL);
  EXPECT_EQ(Session().login("busy", secret_of("busy")), SASL_UNAVAIL);
  EXPECT_EQ(Session().cram_md5("busy", secret_of("busy")), SASL_UNAVAIL);
  EXPECT_EQ(daemon.verified(), 4);
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
}

TEST_F(Outages, OfOneLoginHarmNoOther) {
  daemon.start();
  // A connection closed for one login's sake (on-temporary-failure = disconnect) ends what others
  // have on it; those are tried again by their mail programs and never refused.
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &refused] {
      for (int i = 0; i < 100; ++i) {
        const std::string user = t == 0 ? "busy" : "alice";
        Session session;
        const int code = t % 2 == 0 ? session.plain(user, secret_of(user))
                                    : session.login(user, secret_of(user));
        if (code != SASL_OK && code != SASL_UNAVAIL) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
}

TEST_F(Outages, WithoutAnAnswerEndWithTheTimeout) {
  daemon.start();
  EXPECT_EQ(Session().plain("silent", secret_of("silent")), SASL_UNAVAIL);
  EXPECT_THAT(application.log(), HasSubstr("no answer from " + daemon.socket() + " in time"));
  EXPECT_TRUE(daemon.has_cancelled(1));
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
  EXPECT_EQ(daemon.connections(), 1) << "the others' connection goes on";
}

TEST_F(Outages, OfWhoReadsForAllLeaveSomebodyElseReading) {
  daemon.start();
  // The first to wait reads the socket. When its time is over the second, which has a second left,
  // must see the answer that comes then.
  std::thread first(
      [] { EXPECT_EQ(Session().plain("silent", secret_of("silent")), SASL_UNAVAIL); });
  EXPECT_TRUE(daemon.has_verified(1));
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_EQ(Session().plain("late", secret_of("late")), SASL_OK);
  first.join();
}

TEST_F(Outages, OfAHungDaemonEndWithTheTimeout) {
  daemon.start();
  daemon.suspend();
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_UNAVAIL);
  EXPECT_THAT(application.log(), HasSubstr("gave no handshake"));
  daemon.resume();
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
}

TEST(HungDaemon, ThatReadsNoMoreCostsNobodyMoreThanTheTimeout) {
  AuthDaemon daemon;
  const Application application(
      {{"saslatch_socket", daemon.socket()}, {"saslatch_timeout", "100ms"}});
  daemon.start();
  while (Session().plain("alice", secret_of("alice")) != SASL_OK) {
  }
  daemon.suspend();
  // The largest messages there are, until a line does not fit the socket any more.
  const std::string user(1024, 'n');
  const std::string password(1024, 'p');
  while (application.log().find("does not read what is written") == std::string::npos) {
    ASSERT_EQ(Session().plain(user, password, user), SASL_UNAVAIL);
  }
  daemon.resume();
  while (Session().plain("alice", secret_of("alice")) != SASL_OK) {
  }
}

}  // namespace
}  // namespace saslatch::plugin
