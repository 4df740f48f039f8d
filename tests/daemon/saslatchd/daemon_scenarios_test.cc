// The scenarios of daemon/policy once more, through the daemon's own sockets: the same attacks and
// the same promises, with protocol, sessions, queue, passdb, journal and audit log in between.
#include <gtest/gtest.h>

#include "tests/daemon/saslatchd/socket_site.h"

namespace saslatch::testing {
namespace {

using policy::Login;
using policy::Scenario;
using namespace std::chrono_literals;  // NOLINT: tests only

constexpr const char* kSmallSite = "[policy]\npreset = small-site\nfailure-delay = 0\n";

class DaemonScenarios : public ::testing::TestWithParam<Scenario> {};

TEST_P(DaemonScenarios, SmallSiteKeepsItsPromises) {
  SocketSite site(kSmallSite);
  const policy::Result result = policy::run(GetParam(), site);
  EXPECT_LE(result.let_through, GetParam().let_through_at_most);
  EXPECT_EQ(result.let_through == 0, result.guesses == 0) << "nothing was counted at all";
  EXPECT_LE(result.owners_refused, GetParam().owners_refused_at_most);
}

TEST_P(DaemonScenarios, ObserveRefusesNobody) {
  SocketSite site(std::string(kSmallSite) + "mode = observe\n");
  const policy::Result result = policy::run(GetParam(), site);
  EXPECT_EQ(result.let_through, result.guesses);
  EXPECT_EQ(result.owners_refused, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, DaemonScenarios, ::testing::ValuesIn(policy::scenarios()));

// What each of a row of attempts came to, as "fail fail refused".
std::string outcomes(const std::vector<Audited>& events) {
  std::string all;
  for (const Audited& event : events) all += (all.empty() ? "" : " ") + event.outcome;
  return all;
}

constexpr const char* kThree =
    "[policy]\nfailure-delay = 0\n[rule.three]\ncount = failures\nby = user\nlimit = 3/1h\n"
    "then = lock\nfor = 10m\n";

TEST(DaemonPolicy, EveryMechanismAndEverySpellingCountsForOneAccount) {
  SocketSite site(kThree);
  site.account("alice@example.com", "right");
  site.login({"Alice", "wrong 1", "192.0.2.1"});
  site.login_by("LOGIN", {"alice ", "wrong 2", "198.51.100.1"});
  site.login_by("CRAM-MD5", {"ALICE@Example.com", "wrong 3", ""});
  site.login({"alice", "right", "192.0.2.1"});
  site.login_by("LOGIN", {"alice", "right", "192.0.2.1"});
  site.login_by("CRAM-MD5", {"alice", "right", "192.0.2.1"});
  const auto events = site.audited();
  EXPECT_EQ(outcomes(events), "fail fail fail refused refused refused");
  for (const Audited& event : events) EXPECT_EQ(event.user, "alice@example.com");
}

TEST(DaemonPolicy, KnockingProlongsNothingAndALockEndsWhenItSaid) {
  SocketSite site(kThree);
  site.account("alice", "right");
  for (int i = 0; i < 3; ++i) site.login({"alice", std::to_string(i), "192.0.2.1"});
  for (int i = 0; i < 9; ++i) {  // nine minutes
    site.login({"alice", "knock " + std::to_string(i), "192.0.2.1"});
    site.pass(1min);
  }
  site.pass(59s);
  site.login({"alice", "right", "192.0.2.1"});
  site.pass(2s);
  site.login({"alice", "right", "192.0.2.1"});
  EXPECT_EQ(
      outcomes(site.audited()),
      "fail fail fail refused refused refused refused refused refused refused refused refused "
      "refused ok");
}

TEST(DaemonPolicy, ARestartOpensNoWindow) {
  SocketSite site(kThree);
  site.account("alice", "right");
  site.login({"alice", "1", "192.0.2.1"});
  site.login({"alice", "2", "192.0.2.1"});
  site.restart();
  site.login({"alice", "3", "192.0.2.1"});
  site.restart();
  site.login({"alice", "right", "192.0.2.1"});
  site.pass(11min);
  site.restart();
  site.login({"alice", "right", "192.0.2.1"});
  EXPECT_EQ(outcomes(site.audited()), "fail fail fail refused ok");
}

}  // namespace
}  // namespace saslatch::testing
