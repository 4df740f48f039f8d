// The options of the application's configuration, and what libsasl2 makes of the mechanisms'
// properties.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plugin/application.h"
#include "tests/plugin/auth_daemon.h"

namespace saslatch::plugin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Options : public ::testing::Test {
 protected:
  Options() { daemon.start(); }

  AuthDaemon daemon;
};

TEST_F(Options, ChooseTheMechanismsAndMechListTheirOrder) {
  const struct {
    const char* saslatch_mechanisms;
    const char* mech_list;
    const char* offered;
  } cases[] = {
      {"", "", "CRAM-MD5 PLAIN LOGIN"},  // strongest first, as libsasl2 sorts
      {"plain, login", "", "PLAIN LOGIN"},
      {"CRAM-MD5", "", "CRAM-MD5"},
      {"", "LOGIN PLAIN CRAM-MD5", "LOGIN PLAIN CRAM-MD5"},
      {"PLAIN LOGIN", "CRAM-MD5 LOGIN", "LOGIN"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.saslatch_mechanisms) + "/" + c.mech_list);
    std::map<std::string, std::string> options = {{"saslatch_socket", daemon.socket()}};
    if (*c.saslatch_mechanisms != '\0') options["saslatch_mechanisms"] = c.saslatch_mechanisms;
    if (*c.mech_list != '\0') options["mech_list"] = c.mech_list;
    const Application application(options);
    std::string offered = Session().mechanisms();
    if (offered == "CRAM-MD5 LOGIN PLAIN") offered = "CRAM-MD5 PLAIN LOGIN";  // equals, any order
    if (offered == "LOGIN PLAIN" && *c.mech_list == '\0') offered = "PLAIN LOGIN";
    EXPECT_EQ(offered, c.offered);
    EXPECT_EQ(application.log(), "");
  }
}

TEST_F(Options, NameTheService) {
  const Application application(
      {{"saslatch_socket", daemon.socket()}, {"saslatch_service", "submission"}});
  ASSERT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
  EXPECT_THAT(daemon.last_request(), HasSubstr("service=submission "));
}

TEST_F(Options, AssumeTls) {
  for (const char* yes : {"yes", "TRUE", "on", " 1 "}) {
    const Application application(
        {{"saslatch_socket", daemon.socket()}, {"saslatch_assume_tls", yes}});
    ASSERT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
    EXPECT_THAT(daemon.last_request(), HasSubstr(" secured")) << yes;
  }
}

TEST_F(Options, ThatAreWrongAreLoggedAndTheDefaultIsTaken) {
  const struct {
    const char* name;
    std::string value;
    const char* logged;
  } cases[] = {
      {"saslatch_timeout", "soon", "from 100ms to 60s"},
      {"saslatch_timeout", "0", "from 100ms to 60s"},
      {"saslatch_timeout", "-1", "from 100ms to 60s"},
      {"saslatch_timeout", "61", "from 100ms to 60s"},
      {"saslatch_timeout", "99999999999999999999", "from 100ms to 60s"},
      {"saslatch_timeout", "8h", "from 100ms to 60s"},
      {"saslatch_assume_tls", "maybe", "yes or no"},
      {"saslatch_service", "two words", "letters, digits"},
      {"saslatch_service", std::string(65, 's'), "at most 64"},
      {"saslatch_mechanisms", "PLAIN KERBEROS", "'KERBEROS' is not accepted: unknown mechanism"},
      {"saslatch_mechanisms", "PLAIN plain", "offered twice"},
      {"saslatch_mechanisms", ",", "all are offered"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.name) + "=" + c.value);
    const Application application({{"saslatch_socket", daemon.socket()}, {c.name, c.value}});
    EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
    EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
    EXPECT_THAT(application.log(), StartsWith(std::string("saslatch: ") + c.name + ": '"));
    EXPECT_THAT(application.log(), HasSubstr(c.logged));
    EXPECT_EQ(application.log().find('\n'), application.log().size() - 1) << "logged once";
    EXPECT_EQ(daemon.last_request(), "service=smtp rip= rport=0 lip= lport=0 nologin");
  }
  const Application application({{"saslatch_socket", "/" + std::string(120, 'x')}});
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_UNAVAIL);
  EXPECT_THAT(application.log(), HasSubstr("at most 107 bytes; /run/saslatch/auth is used"));
}

TEST_F(Options, KeepWhatWasMeantOfAListWithAMistake) {
  const Application application(
      {{"saslatch_socket", daemon.socket()}, {"saslatch_mechanisms", "CRAMMD5 CRAM-MD5"}});
  EXPECT_EQ(Session().mechanisms(), "CRAM-MD5");
}

TEST_F(Options, OfSecurityAreObeyed) {
  const Application application(
      {{"saslatch_socket", daemon.socket()}, {"mech_list", "PLAIN LOGIN CRAM-MD5"}});
  sasl_security_properties_t required{};
  const auto offered = [&required](sasl_ssf_t external) {
    ClientFacts facts;
    facts.properties = required;
    facts.external_ssf = external;
    return Session(facts).mechanisms();
  };
  required.security_flags = SASL_SEC_NOANONYMOUS;
  EXPECT_EQ(offered(0), "PLAIN LOGIN CRAM-MD5");
  required.security_flags = SASL_SEC_NOPLAINTEXT;
  EXPECT_EQ(offered(0), "CRAM-MD5");
  EXPECT_EQ(offered(256), "PLAIN LOGIN CRAM-MD5") << "TLS makes plaintext good enough";
  for (const unsigned flag :
       {SASL_SEC_NODICTIONARY, SASL_SEC_NOACTIVE, SASL_SEC_MUTUAL_AUTH, SASL_SEC_FORWARD_SECRECY}) {
    required.security_flags = flag;
    EXPECT_EQ(offered(0), "") << flag;
  }
  required.security_flags = SASL_SEC_PASS_CREDENTIALS;
  EXPECT_EQ(offered(0), "PLAIN LOGIN");
  required.security_flags = 0;
  required.min_ssf = 1;
  required.max_ssf = 256;
  required.maxbufsize = 4096;
  EXPECT_EQ(offered(0), "") << "there is no security layer";
  EXPECT_EQ(offered(128), "PLAIN LOGIN CRAM-MD5");
}

}  // namespace
}  // namespace saslatch::plugin
