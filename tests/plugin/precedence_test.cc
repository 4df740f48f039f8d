// Beside the distribution's own plugins, in both load orders.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/plugin/application.h"
#include "tests/plugin/auth_daemon.h"

namespace saslatch::plugin {
namespace {

class Precedence : public ::testing::TestWithParam<const char*> {};

TEST_P(Precedence, IsOursForEveryMechanism) {
  if (!std::filesystem::exists(SYSTEM_PLUGIN_DIR "/libplain.so")) {
    GTEST_SKIP() << "Debian's libsasl2-modules is not installed";
  }
  AuthDaemon daemon;
  daemon.start();
  const Application application({{"saslatch_socket", daemon.socket()}}, GetParam());
  for (const auto& [mechanism, theirs] : {std::pair("PLAIN", "plain"), std::pair("LOGIN", "login"),
                                          std::pair("CRAM-MD5", "crammd5")}) {
    EXPECT_EQ(Application::providers(mechanism), (std::vector<std::string>{"saslatch", theirs}));
  }
  EXPECT_EQ(Session().plain("alice", secret_of("alice")), SASL_OK);
  EXPECT_EQ(Session().login("alice", secret_of("alice")), SASL_OK);
  EXPECT_EQ(Session().cram_md5("alice", secret_of("alice")), SASL_OK);
  EXPECT_EQ(daemon.verified(), 3);
}

INSTANTIATE_TEST_SUITE_P(BothLoadOrders, Precedence,
                         ::testing::Values(SASLATCH_PLUGIN_DIR ":" SYSTEM_PLUGIN_DIR,
                                           SYSTEM_PLUGIN_DIR ":" SASLATCH_PLUGIN_DIR));

}  // namespace
}  // namespace saslatch::plugin
