// Whole hosts, each with an engine, a thread and connections of its own, and a real Redis.
#include "daemon/state/redis/shared_state.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "daemon/net/reactor.h"
#include "tests/daemon/policy/world.h"
#include "tests/daemon/state/redis/redis_server.h"

namespace saslatch::state::redis {
namespace {

using namespace policy;
using ::saslatch::testing::RedisCluster;
using ::saslatch::testing::RedisServer;
using Verdict = SharedReply::Verdict;

class Names final : public Log {
 public:
  void write(LogLevel, std::string_view name, std::string_view,
             std::initializer_list<LogField> fields) override {
    const std::lock_guard guard(mutex_);
    lines_ += std::string(name);
    for (const LogField& field : fields) lines_ += " " + field.value;
    lines_ += "\n";
  }
  std::string lines() {
    const std::lock_guard guard(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::string lines_;
};

class Locks final : public AuditSink {
 public:
  void write(const Event& event) override { count_ += std::holds_alternative<LockEvent>(event); }
  size_t count() const { return count_; }

 private:
  std::atomic<size_t> count_{0};
};

class NoJournal final : public Journal {
 public:
  uint64_t append(const Change&) override { return 1; }
};

Target unix_socket(const std::string& path) { return {{}, {}, path, false}; }

Rule three_failures() {
  return rule("account", Count::kFailures, By::kUser, 3, 10min, Then::kLock, 5min);
}

class Host {
 public:
  explicit Host(Target server, Milliseconds budget = Milliseconds(10'000), Secret password = {})
      : journal_(nothing_),
        world_({three_failures()}, {}, &journal_),
        random_(next_first()),
        state_(
            options(std::move(server), budget, std::move(password)), reactor_, *world_.engine,
            [] {
              return std::chrono::time_point_cast<std::chrono::microseconds>(
                  std::chrono::system_clock::now());
            },
            audit, metrics, log, random_) {
    world_.engine->share(HashKey{7}, random_);
    journal_.share(state_);
    world_.account("alice", "right");
    state_.start();
    reactor_.start();
  }
  ~Host() {
    std::promise<void> stopped;
    state_.stop(Milliseconds(100), [&] { stopped.set_value(); });
    stopped.get_future().wait();
    reactor_.stop();
  }

  // Until it is so; false after a minute, which is for a machine with much else to do.
  template <typename Condition>
  static bool comes_true(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 1min;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }
  bool joins() {
    return comes_true([&] { return state_.is_usable(); });
  }
  // The log is written behind whatever else tells of it.
  bool says(const std::string& text) {
    return comes_true([&] { return log.lines().find(text) != std::string::npos; });
  }
  bool falls_silent() {
    return comes_true([&] { return !state_.is_usable(); });
  }

  Decision reserve(const policy::Login& login, Ticket& ticket, SharedReply* told = nullptr) {
    const auto now =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    world_.now = now;
    Decision decision = world_.reserve(login);
    ticket = std::move(decision.ticket);
    if (decision.verdict != policy::Verdict::kAllow || !state_.is_usable()) return decision;
    std::promise<SharedReply> answered;
    state_.reserve(world_.engine->shared_request(ticket, false), Duration(200),
                   [&](SharedReply reply) { answered.set_value(std::move(reply)); });
    const SharedReply reply = answered.get_future().get();
    if (told != nullptr) *told = reply;
    decision = world_.engine->join(ticket, reply, false, now);
    if (!decision.shared.empty()) state_.settle(std::move(decision.shared));
    return decision;
  }
  Outcome settle(const policy::Login& login, Ticket ticket) {
    const Outcome outcome = world_.verify(login);
    auto settled = world_.engine->settle(std::move(ticket), outcome, world_.now);
    if (!settled.shared.empty()) state_.settle(std::move(settled.shared));
    return outcome;
  }
  // "in", "wrong", "refused" or "waits".
  std::string login(const std::string& password, const std::string& rip = "192.0.2.1") {
    const policy::Login login{"alice", password, rip};
    Ticket ticket;
    const Decision decision = reserve(login, ticket);
    if (decision.verdict == policy::Verdict::kRefuse) return "refused";
    if (decision.verdict != policy::Verdict::kAllow) return "waits";
    return settle(login, std::move(ticket)) == Outcome::kSuccess ? "in" : "wrong";
  }

  bool is_locked() { return !world_.engine->locks(world_.now).empty(); }
  bool knows(const std::string& network) {
    const auto told = world_.engine->explain(*Subject::parse("user:alice"), world_.now);
    return std::any_of(told.familiar.begin(), told.familiar.end(),
                       [&](const FamiliarInfo& known) { return known.network == network; });
  }
  World& world() { return world_; }
  SharedState& state() { return state_; }

  Names log;
  Locks audit;
  Metrics metrics;

 private:
  static uint8_t next_first() {
    static std::atomic<uint8_t> first{0};
    return first += 40;
  }
  static SharedOptions options(Target server, Milliseconds budget, Secret password) {
    SharedOptions options;
    options.servers = {std::move(server)};
    options.prefix = "test";
    options.budget = budget;
    options.login.password = std::move(password);
    return options;
  }

  NoJournal nothing_;
  SharedJournal journal_;
  World world_;
  CountingRandom random_;
  net::AsioReactor reactor_;
  SharedState state_;
};

class SharedStateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::is_installed()) GTEST_SKIP() << "needs Debian's redis-tools";
  }
};

void limits_hold_together(Host& a, Host& b) {
  ASSERT_TRUE(a.joins() && b.joins()) << a.log.lines() << b.log.lines();
  EXPECT_EQ(a.login("one"), "wrong");
  EXPECT_EQ(b.login("two"), "wrong");
  EXPECT_EQ(a.login("two"), "wrong") << "a repetition, though another host has met it";
  EXPECT_EQ(b.login("three"), "wrong");
  EXPECT_EQ(a.login("right", "198.51.100.1"), "refused") << "by Redis, or by what it was told";
  EXPECT_TRUE(Host::comes_true([&] { return a.is_locked() && b.is_locked(); }));
  EXPECT_EQ(a.audit.count() + b.audit.count(), 1u) << "one host tells of the lock";
  const auto cleared = b.world().engine->clear(*Subject::parse("user:alice"), b.world().now);
  EXPECT_EQ(cleared.size(), 1u);
  EXPECT_TRUE(Host::comes_true([&] { return !a.is_locked(); }));
  EXPECT_EQ(a.login("right"), "in");
  EXPECT_TRUE(Host::comes_true([&] { return b.knows("192.0.2.0/24"); }));
}

TEST_F(SharedStateTest, LimitsLocksClearingsAndFamiliarNetworksAreOfAllHosts) {
  RedisServer server;
  Host a(unix_socket(server.path())), b(unix_socket(server.path()));
  limits_hold_together(a, b);
}

TEST_F(SharedStateTest, SoTheyAreInARedisCluster) {
  RedisCluster cluster;
  const Target node{"127.0.0.1", std::to_string(cluster.node(1).port()), {}, false};
  Host a(node), b(node);
  limits_hold_together(a, b);
}

TEST_F(SharedStateTest, WhatIsBeingVerifiedElsewhereFillsTheLimit) {
  RedisServer server;
  Host a(unix_socket(server.path())), b(unix_socket(server.path()));
  ASSERT_TRUE(a.joins() && b.joins());
  std::vector<Ticket> tickets(3);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(a.reserve(policy::Login{"alice", std::to_string(i), "192.0.2.1"}, tickets[i]).verdict,
              policy::Verdict::kAllow);
  EXPECT_EQ(b.login("another"), "waits");
  EXPECT_EQ(a.settle(policy::Login{"alice", "right", "192.0.2.1"}, std::move(tickets[0])),
            Outcome::kSuccess);
  EXPECT_TRUE(Host::comes_true([&] { return b.login("right") == "in"; }));
  for (size_t i = 1; i < 3; ++i)
    a.settle(policy::Login{"alice", "right", "192.0.2.1"}, std::move(tickets[i]));
}

TEST_F(SharedStateTest, WithoutAServerEachHostGoesOnAndTellsWhenItIsBack) {
  RedisServer server;
  Host a(unix_socket(server.path())), b(unix_socket(server.path()));
  ASSERT_TRUE(a.joins() && b.joins());
  server.stop();
  ASSERT_TRUE(a.falls_silent() && b.falls_silent());
  EXPECT_TRUE(a.says("shared-state-down " + server.path()));
  EXPECT_EQ(a.login("right", "198.51.100.1"), "in");
  EXPECT_EQ(a.login("one"), "wrong");
  EXPECT_EQ(b.login("two"), "wrong");
  EXPECT_EQ(b.login("three"), "wrong");
  EXPECT_FALSE(a.is_locked() || b.is_locked());
  server.start();
  ASSERT_TRUE(a.joins() && b.joins());
  EXPECT_TRUE(Host::comes_true([&] { return a.is_locked() && b.is_locked(); }))
      << "three in all, told afterwards";
  EXPECT_TRUE(Host::comes_true([&] { return b.knows("198.51.100.0/24"); }));
}

TEST_F(SharedStateTest, ALockThatAHostSetAloneIsOfAllAfterwards) {
  RedisServer server;
  Host a(unix_socket(server.path()));
  ASSERT_TRUE(a.joins());
  server.stop();
  ASSERT_TRUE(a.falls_silent());
  for (const char* guess : {"one", "two", "three"}) EXPECT_EQ(a.login(guess), "wrong");
  EXPECT_TRUE(a.is_locked());
  server.start();
  Host b(unix_socket(server.path()));
  ASSERT_TRUE(a.joins() && b.joins());
  EXPECT_TRUE(Host::comes_true([&] { return b.login("right", "198.51.100.1") == "refused"; }));
}

TEST_F(SharedStateTest, AServerThatIsTooSlowIsNotWaitedFor) {
  RedisServer server;
  Host a(unix_socket(server.path()), Milliseconds(20));
  ASSERT_TRUE(a.joins());
  server.call({"CLIENT", "PAUSE", "1500", "ALL"});
  const policy::Login login{"alice", "right", "192.0.2.1"};
  Ticket ticket;
  SharedReply told;
  EXPECT_EQ(a.reserve(login, ticket, &told).verdict, policy::Verdict::kAllow);
  EXPECT_EQ(told.verdict, Verdict::kNoAnswer);
  EXPECT_EQ(a.settle(login, std::move(ticket)), Outcome::kSuccess);
  EXPECT_TRUE(a.falls_silent());
  EXPECT_TRUE(a.says("takes longer than 20 ms"));
  EXPECT_EQ(a.login("right"), "in");
  EXPECT_TRUE(a.joins()) << "when it is quick again";
}

TEST_F(SharedStateTest, AServerThatIsFullComesAndGoesInTwoLines) {
  RedisServer server;
  Host a(unix_socket(server.path()));
  ASSERT_TRUE(a.joins());
  server.call({"CONFIG", "SET", "maxmemory", "1"});
  for (const char* guess : {"one", "two", "three"}) EXPECT_EQ(a.login(guess), "wrong");
  EXPECT_TRUE(a.is_locked());
  // It takes the connection each time, and refuses what it is told.
  const auto connections = [&] {
    const std::string text = server.call({"INFO", "stats"}).text;
    return std::stoi(text.substr(text.find("connections_received:") + 21));
  };
  const int before = connections();
  EXPECT_TRUE(Host::comes_true([&] { return connections() > before + 8; }));
  const std::string lines = a.log.lines();
  const auto count = [&](const std::string& name) {
    size_t found = 0;
    for (size_t at = lines.find(name); at != std::string::npos; at = lines.find(name, at + 1))
      ++found;
    return found;
  };
  EXPECT_EQ(count("shared-state-down"), 1u) << lines;
  EXPECT_LE(count("shared-state-up"), 2u) << lines;
  server.call({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(a.joins());
}

TEST_F(SharedStateTest, AWrongPasswordIsToldAndLoginsGoOn) {
  RedisServer server;
  server.call({"CONFIG", "SET", "requirepass", "sesame"});
  Host a(unix_socket(server.path()), Milliseconds(10'000), Secret("other"));
  EXPECT_TRUE(a.says("refuses user or password"));
  EXPECT_EQ(a.log.lines().find("sesame"), std::string::npos);
  EXPECT_EQ(a.log.lines().find("other"), std::string::npos);
  EXPECT_EQ(a.login("right"), "in");
  Host b(unix_socket(server.path()), Milliseconds(10'000), Secret("sesame"));
  EXPECT_TRUE(b.joins());
}

TEST_F(SharedStateTest, NothingInItNamesAUserOrAPassword) {
  RedisServer server;
  Host a(unix_socket(server.path()));
  ASSERT_TRUE(a.joins());
  EXPECT_EQ(a.login("right", "198.51.100.1"), "in");
  EXPECT_EQ(a.login("sesame"), "wrong");
  EXPECT_TRUE(Host::comes_true([&] {
    return server.call({"KEYS", "*"}).items.size() >= 3;
  })) << "what the user has come to, familiar networks and the changes";
  for (const Reply& key : server.call({"KEYS", "*"}).items) {
    const std::string stored = key.text + server.call({"DUMP", key.text}).text;
    for (const char* secret : {"alice", "sesame", "right"})
      EXPECT_EQ(stored.find(secret), std::string::npos) << secret << " in " << key.text;
  }
}

TEST_F(SharedStateTest, WhatIsToldOrAskedBehindItsEndIsHarmless) {
  RedisServer server;
  Host a(unix_socket(server.path()));
  ASSERT_TRUE(a.joins());
  std::promise<void> stopped;
  std::promise<SharedReply> answered;
  a.state().stop(Milliseconds(100), [&] { stopped.set_value(); });
  SharedSettlement settlement;
  settlement.holds.emplace_back().subject = 1;
  a.state().settle(settlement);
  a.state().reserve({false, settlement.holds}, Duration(200),
                    [&](SharedReply reply) { answered.set_value(std::move(reply)); });
  stopped.get_future().wait();
  EXPECT_EQ(answered.get_future().get().verdict, Verdict::kNoAnswer);
}

TEST_F(SharedStateTest, ScriptsThatTheServerHasLostAreLoadedAgain) {
  RedisServer server;
  Host a(unix_socket(server.path()));
  ASSERT_TRUE(a.joins());
  server.call({"SCRIPT", "FLUSH"});
  EXPECT_EQ(a.login("right"), "in");
  EXPECT_TRUE(a.joins());
  EXPECT_EQ(a.login("right"), "in");
}

TEST(Slots, AreThoseOfTheSpecification) {
  // The examples of the cluster specification, and CLUSTER KEYSLOT of Redis 7.0.
  EXPECT_EQ(slot_of("123456789"), 0x31C3);
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
  EXPECT_EQ(slot_of("foo{}{bar}"), slot_of("foo{}{bar}"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
}

}  // namespace
}  // namespace saslatch::state::redis
