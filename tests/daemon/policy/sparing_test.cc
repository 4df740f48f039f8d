// DESIGN 6.5 to 6.7: what a success gives back, familiar networks, shared and trusted sources.
#include "tests/daemon/policy/engine_test_kit.h"

namespace saslatch::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(EngineTest, ASuccessGivesBackTheUsersFailuresFromThatNetworkOnly) {
  start({guess_account(3)});
  (void)world().login(guess("alice", "192.0.2.7"));
  (void)world().login(guess("alice", kElsewhere));
  EXPECT_TRUE(world().login(right("alice", "192.0.2.8")).in());
  EXPECT_THAT(world().login(guess("alice", kHome)).settled.locks, IsEmpty());
  EXPECT_EQ(world().login(guess("alice", kHome)).settled.locks.size(), 1u)
      << "the failure from elsewhere still counts";
}

TEST_F(EngineTest, ASuccessClearsNothingOfAddressPasswordOrEveryone) {
  for (const By by : {By::kIp, By::kNetwork, By::kEveryone, By::kPassword}) {
    start({rule("r", Count::kDistinctUsers, by, 3, 10min, Then::kLock, 1h)});
    const std::string password = "spring2030";
    for (const char* victim : {"a", "b", "c"}) {
      EXPECT_TRUE(world().login({victim, password, kHome}).wrong());
      EXPECT_EQ(world().login(right("bob")).in(), std::string(victim) != "c" || by == By::kPassword)
          << "the attacker's own account";
    }
    EXPECT_TRUE(world().login({"d", password, kHome}).refused()) << to_string(by);
  }
}

TEST_F(EngineTest, SparesAFamiliarNetworkForAsLongAsItIsOne) {
  Settings settings;
  settings.familiar_for = 24h;
  start({sparing(guess_account(2, 240h))}, settings);
  EXPECT_TRUE(world().login(right("alice", "192.0.2.1")).in());
  for (int i = 0; i < 2; ++i) (void)world().login(guess("alice"));
  EXPECT_TRUE(world().login(right("alice", "198.51.100.7")).refused());
  world().now += 23h;
  const Try spared = world().login({"alice", "mistyped", "192.0.2.200"});
  EXPECT_TRUE(spared.wrong()) << "same /24";
  EXPECT_TRUE(spared.familiar);
  world().now += 1h;
  EXPECT_TRUE(world().login(right("alice", "192.0.2.200")).refused()) << "24 h are over";
}

TEST_F(EngineTest, WhatARuleSparesItDoesNotCount) {
  start({sparing(guess_account(2))});
  world().know("alice", kHome);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(world().login(guess("alice", kHome)).wrong());
  EXPECT_TRUE(world().login(guess("alice", kElsewhere)).wrong());
  EXPECT_TRUE(world().login(right("alice", kElsewhere)).in());
}

TEST_F(EngineTest, APairsOwnFailuresCountUnderItsOwnRule) {
  start({sparing(guess_account(2)),
         rule("pair", kFailures, By::kUserNetwork, 4, 10min, Then::kLock, 1min)});
  world().know("alice", kHome);
  EXPECT_EQ(guesses_let_through([] { return guess("alice", kHome); }, 50), 4u);
  EXPECT_TRUE(world().login(right("alice", kHome)).refused());
  EXPECT_TRUE(world().login(right("alice", kElsewhere)).in());
}

TEST_F(EngineTest, TheNewestNetworksStayFamiliar) {
  Settings settings;
  settings.familiar_max = 3;
  start({}, settings);
  for (const char* rip : {"192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.2.1", "10.0.0.1"}) {
    world().know("alice", rip);
    world().now += 1min;
  }
  std::vector<std::string> networks;
  for (const auto& place :
       world().engine->explain(*Subject::parse("user:alice"), world().now).familiar)
    networks.push_back(place.network);
  EXPECT_THAT(networks, ElementsAre("10.0.0.0/24", "192.0.2.0/24", "203.0.113.0/24"));
}

TEST_F(EngineTest, SharedSourcesAreNoSubjectOfAddressRulesButOfPairs) {
  for (const char* rip : {"127.0.0.1", "::1", "", "not an address", "::ffff:127.0.0.1"}) {
    start({rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h),
           rule("by-net", kFailures, By::kNetwork, 2, 10min, Then::kLock, 1h),
           rule("pair", kFailures, By::kUserNetwork, 3, 10min, Then::kLock, 1h)});
    for (int i = 0; i < 60; ++i)
      EXPECT_TRUE(world().login(guess("victim" + std::to_string(i), rip)).wrong()) << rip;
    EXPECT_TRUE(world().login(right("bob", rip)).in()) << rip;
    EXPECT_EQ(guesses_let_through([&] { return guess("alice", rip); }, 50), 3u) << rip;
    EXPECT_TRUE(world().login(right("bob", rip)).familiar) << rip;
  }
}

TEST_F(EngineTest, TrustedSourcesAreNeverCountedNorRefused) {
  Settings settings;
  settings.trusted = {*Network::parse("203.0.113.9")};
  start({guess_account(2), rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h)}, settings);
  for (int i = 0; i < 50; ++i) {
    const Decision decision = world().reserve(guess("alice", "203.0.113.9"));
    EXPECT_EQ(decision.verdict, Verdict::kAllow);
    EXPECT_TRUE(decision.trusted);
  }
  EXPECT_TRUE(world().engine->is_trusted(IpAddress::parse("::ffff:203.0.113.9")));
  EXPECT_FALSE(world().engine->is_trusted(std::nullopt));
  EXPECT_TRUE(world().login(right("alice")).in());
  EXPECT_EQ(world().engine->figures(world().now).counters, 0u);
}

TEST_F(EngineTest, MappedAddressesAreOneSubject) {
  start({rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h)});
  (void)world().login(guess("alice", "192.0.2.1"));
  (void)world().login(guess("alice", "::ffff:192.0.2.1"));
  EXPECT_TRUE(world().login(right("alice", "192.0.2.1")).refused());
}

TEST_F(EngineTest, ARulesPrefixesSayWhatItsNetworkIs) {
  Rule wide = rule("wide", kFailures, By::kNetwork, 2, 10min, Then::kLock, 1h);
  wide.ipv4_prefix = 16;
  wide.ipv6_prefix = 48;
  start({wide});
  (void)world().login(guess("alice", "192.0.2.1"));
  (void)world().login(guess("alice", "192.0.200.1"));
  EXPECT_EQ(world().login(right("alice", "192.0.9.9")).hit->subject, "network:192.0.0.0/16");
  (void)world().login(guess("alice", "2001:db8:1:1::1"));
  (void)world().login(guess("alice", "2001:db8:1:ffff::1"));
  EXPECT_EQ(world().login(right("alice", "2001:db8:1:2::9")).hit->subject,
            "network:2001:db8:1::/48");
  EXPECT_TRUE(world().login(right("alice", "2001:db8:2::1")).in());
}

TEST_F(EngineTest, AnAddressAndItsNetworkOfOneCountEachForThemselves) {
  Rule one = rule("one", kFailures, By::kNetwork, 2, 10min, Then::kLock, 1h);
  one.ipv4_prefix = 32;
  start({rule("by-ip", kFailures, By::kIp, 2, 10min, Then::kLock, 1h), one});
  (void)world().login(guess("alice", kHome));
  EXPECT_EQ(world().login(guess("alice", kHome)).settled.locks.size(), 2u);
  EXPECT_EQ(world().engine->clear(*Subject::parse("ip:192.0.2.1"), world().now).size(), 2u);
}

}  // namespace
}  // namespace saslatch::policy
