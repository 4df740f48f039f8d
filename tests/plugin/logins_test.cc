// What a login through libsasl2 and the plugin comes to.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/plugin/application.h"
#include "tests/plugin/auth_daemon.h"

namespace saslatch::plugin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Logins : public ::testing::Test {
 protected:
  Logins() { daemon.start(); }

  AuthDaemon daemon;
  Application application{{{"saslatch_socket", daemon.socket()}}};
};

TEST_F(Logins, OfEveryMechanismSucceedAndFail) {
  for (const char* mechanism : {"PLAIN", "LOGIN", "CRAM-MD5"}) {
    SCOPED_TRACE(mechanism);
    Session right;
    EXPECT_EQ(right.log_in(mechanism, "alice@example.com", secret_of("alice@example.com")),
              SASL_OK);
    EXPECT_EQ(right.username(), "alice@example.com");
    Session wrong;
    EXPECT_EQ(wrong.log_in(mechanism, "alice@example.com", "wrong"), SASL_BADAUTH);
  }
}

TEST_F(Logins, EndAsTheDaemonSays) {
  const struct {
    const char* user;
    int code;
  } cases[] = {
      {"tired", SASL_TRYAGAIN},      {"banned", SASL_NOAUTHZ}, {"disabled", SASL_DISABLED},
      {"expired", SASL_EXPIRED},     {"busy", SASL_UNAVAIL},   {"nul", SASL_UNAVAIL},
      {"nobody-here", SASL_BADAUTH},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.user);
    Session session;
    const bool knows = std::string(c.user) != "nobody-here";
    EXPECT_EQ(session.plain(c.user, knows ? secret_of(c.user) : "x"), c.code);
    // slapd shows this to the remote side.
    EXPECT_THAT(session.error_detail(), Not(HasSubstr(daemon.socket())));
  }
}

TEST_F(Logins, BearTheNameThatTheDaemonGives) {
  Session session;
  ASSERT_EQ(session.plain("mapped", secret_of("mapped")), SASL_OK);
  EXPECT_EQ(session.username(), "somebody@example.com");
}

TEST_F(Logins, ThatFailHaveANameForTheLog) {
  Session session;
  ASSERT_EQ(session.plain("alice", "wrong"), SASL_BADAUTH);
  EXPECT_EQ(session.username(), "alice");
}

TEST_F(Logins, GetTheRealmOfTheApplication) {
  Session session({.realm = "example.org"});
  ASSERT_EQ(session.plain("alice", secret_of("alice")), SASL_OK);
  EXPECT_EQ(session.username(), "alice@example.org");
}

TEST_F(Logins, WorkWithoutAnInitialResponse) {
  Session session;
  ASSERT_EQ(session.start("PLAIN"), SASL_CONTINUE);
  EXPECT_EQ(session.challenge(), "");
  EXPECT_EQ(session.step(std::string("\0alice\0", 7) + secret_of("alice")), SASL_OK);
}

TEST_F(Logins, OfLoginWorkWithAnInitialResponse) {
  Session named;
  ASSERT_EQ(named.start("LOGIN", "alice"), SASL_CONTINUE);
  EXPECT_EQ(named.challenge(), "Password:");
  EXPECT_EQ(named.step(secret_of("alice")), SASL_OK);
  Session empty;
  ASSERT_EQ(empty.start("LOGIN", ""), SASL_CONTINUE);
  EXPECT_EQ(empty.challenge(), "Username:");
  ASSERT_EQ(empty.step("alice"), SASL_CONTINUE);
  EXPECT_EQ(empty.step(secret_of("alice")), SASL_OK);
}

TEST_F(Logins, ForSomebodyElseAreRefused) {
  Session same;
  EXPECT_EQ(same.plain("alice", secret_of("alice"), "alice"), SASL_OK);
  Session other;
  EXPECT_EQ(other.plain("alice", secret_of("alice"), "bob"), SASL_BADAUTH);
}

TEST_F(Logins, ThatAreNonsenseNeverReachTheDaemon) {
  const std::vector<std::string> messages = {
      "",
      "no NUL",
      std::string("a\0b", 3),
      std::string("\0\0", 2),
      std::string("\0alice\0", 7),
      std::string("\0alice\0x\0y", 10),
      std::string("\0ali\xFF"
                  "e\0x",
                  8),
      '\0' + std::string(1025, 'n') + '\0' + "x",
      std::string("\0alice\0", 7) + std::string(100'000, 'p'),
  };
  for (const std::string& message : messages) {
    Session session;
    EXPECT_EQ(session.start("PLAIN", message), SASL_BADPROT) << message.size() << " bytes";
  }
  EXPECT_EQ(daemon.requests(), 0);
}

TEST_F(Logins, ThatTurnNonsenseAreGivenUp) {
  {
    Session session;
    ASSERT_EQ(session.start("CRAM-MD5"), SASL_CONTINUE);
    EXPECT_EQ(session.step("alice 0123"), SASL_BADPROT);
  }
  EXPECT_TRUE(daemon.has_cancelled(1));
  {
    Session session;
    ASSERT_EQ(session.start("LOGIN"), SASL_CONTINUE);
    ASSERT_EQ(session.step("alice"), SASL_CONTINUE);
    EXPECT_EQ(session.step(""), SASL_BADPROT);
  }
  EXPECT_TRUE(daemon.has_cancelled(2));
  EXPECT_EQ(daemon.verified(), 0);
}

TEST_F(Logins, GivenUpByTheClientAreCancelled) {
  {
    Session session;
    ASSERT_EQ(session.start("LOGIN"), SASL_CONTINUE);
  }
  EXPECT_TRUE(daemon.has_cancelled(1));
  Session session;
  EXPECT_EQ(session.login("alice", secret_of("alice")), SASL_OK);
}

TEST_F(Logins, OfOneSessionMayFollowEachOther) {
  Session session;
  EXPECT_EQ(session.plain("alice", "wrong"), SASL_BADAUTH);
  EXPECT_EQ(session.login("alice", secret_of("alice")), SASL_OK);
}

TEST_F(Logins, TellTheDaemonWhatTheApplicationKnows) {
  const struct {
    ClientFacts facts;
    const char* request;
  } cases[] = {
      {{}, "service=smtp rip= rport=0 lip= lport=0 nologin"},
      {{.service = "imap", .local = "192.0.2.1;143", .remote = "198.51.100.7;40123"},
       "service=imap rip=198.51.100.7 rport=40123 lip=192.0.2.1 lport=143 nologin"},
      {{.local = "2001:db8::1;587", .remote = "2001:db8::2;40000", .external_ssf = 256},
       "service=smtp rip=2001:db8::2 rport=40000 lip=2001:db8::1 lport=587 secured nologin"},
  };
  for (const auto& c : cases) {
    Session session(c.facts);
    ASSERT_EQ(session.plain("alice", secret_of("alice")), SASL_OK);
    EXPECT_EQ(daemon.last_request(), c.request);
  }
}

TEST_F(Logins, ShareOneConnection) {
  for (int i = 0; i < 20; ++i) {
    Session session;
    EXPECT_EQ(session.plain("alice", i % 2 == 0 ? secret_of("alice") : "wrong"),
              i % 2 == 0 ? SASL_OK : SASL_BADAUTH);
  }
  EXPECT_EQ(daemon.connections(), 1);
}

TEST_F(Logins, OfManyThreadsGetEachItsOwnAnswer) {
  constexpr int kThreads = 8, kExchanges = 1000;
  std::atomic<int> wrong_answers = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t, &wrong_answers] {
      for (int i = 0; i < kExchanges; ++i) {
        const std::string user = "user-" + std::to_string(t) + "-" + std::to_string(i);
        const bool right = i % 3 != 0;
        const std::string password = right ? secret_of(user) : "wrong";
        Session session;
        const int code = i % 5 == 0   ? session.cram_md5(user, password)
                         : i % 5 == 1 ? session.login(user, password)
                                      : session.plain(user, password);
        if (code != (right ? SASL_OK : SASL_BADAUTH) || (right && session.username() != user)) {
          ++wrong_answers;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong_answers, 0) << application.log();
  EXPECT_EQ(daemon.connections(), 1);
  EXPECT_EQ(daemon.verified(), kThreads * kExchanges);
}

TEST_F(Logins, LeaveNoSecretInTheLog) {
  const std::string password = "hunter-two";
  Session session;
  session.plain("alice", password);
  session.login("busy", password);
  session.plain("tired", password);
  session.start("PLAIN", password);
  daemon.kill();
  session.plain("alice", password);
  EXPECT_THAT(application.log(), HasSubstr("saslatch: "));
  EXPECT_THAT(application.log(), Not(HasSubstr(password)));
}

}  // namespace
}  // namespace saslatch::plugin
