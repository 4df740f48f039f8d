// The scripts count as the engine does: logins spread over several hosts, whose engines ask and
// tell a real Redis, come to what they come to on one host that has them all.
#include <gtest/gtest.h>

#include <random>

#include "daemon/policy/keyed_hash.h"
#include "daemon/state/redis/codec.h"
#include "daemon/state/redis/scripts.h"
#include "tests/daemon/policy/world.h"
#include "tests/daemon/state/redis/redis_server.h"

namespace saslatch::state::redis {
namespace {

using namespace policy;
using ::saslatch::testing::RedisServer;

// One host among several: what SharedState does, step by step and on the test's clock.
class Hosts final : public Journal {
 public:
  Hosts(size_t many, const std::vector<Rule>& rules, const Settings& settings)
      : reserve_sha_(server_.call({"SCRIPT", "LOAD", std::string(kReserveScript)}).text),
        settle_sha_(server_.call({"SCRIPT", "LOAD", std::string(kSettleScript)}).text) {
    for (size_t i = 0; i < many; ++i) {
      worlds_.push_back(std::make_unique<World>(rules, settings, this, static_cast<uint8_t>(i)));
      CountingRandom random(static_cast<uint8_t>(100 * i));
      worlds_.back()->engine->share(HashKey{7, 7, 7}, random);
    }
  }

  uint64_t append(const Change& change) override {
    if (!applying_) news_.push_back(change);
    return 1;
  }

  World& world(size_t host) { return *worlds_[host]; }
  size_t size() const { return worlds_.size(); }

  Try login(size_t host, const Login& login, Time now) {
    World& world = *worlds_[host];
    world.now = now;
    Try result;
    Decision decision = world.reserve(login);
    Ticket ticket = std::move(decision.ticket);
    if (decision.verdict == Verdict::kAllow) {
      const SharedRequest request = world.engine->shared_request(ticket, false);
      if (!request.holds.empty()) {
        const auto reply = parse_reserved(
            call(reserve_command(keys_, reserve_sha_, request, Milliseconds(5000)), now));
        EXPECT_TRUE(reply);
        const bool familiar = decision.familiar;
        decision = world.engine->join(ticket, reply.value_or(SharedReply{}), false, now);
        EXPECT_EQ(decision.familiar, familiar);
      }
    }
    tell(decision.shared, now);
    result.verdict = decision.verdict;
    result.familiar = decision.familiar;
    result.hit = decision.hit;
    result.would = decision.would;
    if (decision.verdict == Verdict::kAllow) {
      result.outcome = world.verify(login);
      result.settled = world.engine->settle(std::move(ticket), result.outcome, now);
      tell(result.settled.shared, now);
    }
    spread(now);
    return result;
  }

 private:
  // The script's first argument, behind its keys, is the clock.
  Reply call(Command command, Time now) {
    command[3 + std::stoul(command[2])] =
        std::to_string(std::chrono::floor<Milliseconds>(now.time_since_epoch()).count());
    const Reply reply = server_.call(command);
    EXPECT_NE(reply.kind, Reply::Kind::kError) << reply.text;
    return reply;
  }

  void tell(const SharedSettlement& settlement, Time now) {
    if (settlement.empty()) return;
    const auto reply =
        parse_settled(call(settle_command(keys_, settle_sha_, settlement, Milliseconds(0)), now));
    ASSERT_TRUE(reply);
    for (const SharedLock& lock : reply->locks) {
      const SharedHold& hold = settlement.holds[lock.hold];
      used_up_.push_back(mix(hold.subject, hold.rules[lock.rule].id));
    }
    for (const size_t hold : reply->gave)
      given_.push_back({settlement.holds[hold].subject, settlement.tag});
    if (settlement.observes) return;
    for (const SharedLock& lock : reply->locks) {
      const SharedHold& hold = settlement.holds[lock.hold];
      const uint64_t rule = hold.rules[lock.rule].id;
      news_.push_back(LockRecord{
          mix(hold.subject, rule), rule, hold.text, {}, now + lock.left, lock.left, lock.level});
    }
  }

  void spread(Time now) {
    applying_ = true;
    const auto news = std::exchange(news_, {});
    const auto given = std::exchange(given_, {});
    const auto used_up = std::exchange(used_up_, {});
    for (const auto& world : worlds_) {
      for (const Change& change : news)
        if (std::holds_alternative<LockRecord>(change) ||
            std::holds_alternative<FamiliarRecord>(change))
          (void)world->engine->learn(change, now);
      for (const uint64_t window : used_up) world->engine->use_up(window);
      for (const auto& back : given) world->engine->give_back(back.subject, back.tag, now);
    }
    applying_ = false;
  }

  RedisServer server_;
  const KeyNames keys_{"test"};
  const std::string reserve_sha_;
  const std::string settle_sha_;
  std::vector<std::unique_ptr<World>> worlds_;
  std::vector<Change> news_;
  std::vector<FailuresGivenBack> given_;
  std::vector<uint64_t> used_up_;
  bool applying_ = false;
};

// Not which rule: where two strike, a host names the one that it knows of first.
std::string told(const Try& result) {
  std::string text = result.in()        ? "in"
                     : result.wrong()   ? "wrong"
                     : result.refused() ? "refused"
                                        : "waits";
  if (result.would) text += " would be";
  if (result.settled.repeat) text += " repeat";
  return text;
}

std::vector<Rule> all_kinds() {
  // Half seconds: no login, which come at whole ones, meets the very end of a window.
  Rule account = rule("account", Count::kFailures, By::kUser, 4, 600'500ms, Then::kLock, 60'500ms);
  account.growing = Growth{2, 10min};
  account.spare_familiar = true;
  // The same subjects as `stuffing` has, in a group of its own.
  Rule host = rule("host", Count::kFailures, By::kNetwork, 14, 900'500ms, Then::kLock, 60'500ms);
  host.ipv4_prefix = 32;
  return {account,
          rule("pair", Count::kFailures, By::kUserNetwork, 6, 600'500ms, Then::kLock, 120'500ms),
          rule("spray", Count::kDistinctUsers, By::kNetwork, 4, 900'500ms, Then::kLock, 300'500ms),
          rule("stuffing", Count::kDistinctPasswords, By::kIp, 8, 900'500ms, Then::kRefuse),
          host,
          rule("unknown", Count::kUnknownUsers, By::kUser, 3, 3600'500ms, Then::kRefuse),
          rule("rate", Count::kAttempts, By::kNetwork, 30, 300'500ms, Then::kRefuse),
          rule("same", Count::kDistinctUsers, By::kPassword, 3, 1200'500ms, Then::kLock, 300'500ms),
          rule("all", Count::kFailures, By::kEveryone, 200, 600'500ms, Then::kRefuse)};
}

void compare(unsigned seed, const std::vector<Rule>& rules, const Settings& settings) {
  std::mt19937 chance(seed);
  const auto below = [&](uint32_t bound) { return static_cast<uint32_t>(chance() % bound); };
  World one(rules, settings);
  CountingRandom random(1);
  one.engine->share(HashKey{7, 7, 7}, random);
  Hosts hosts(3, rules, settings);
  const char* const users[] = {"alice", "bob", "carol", "dave", "nobody", "noone"};
  for (size_t u = 0; u < 4; ++u) {
    one.account(users[u], std::string("right ") + users[u]);
    for (size_t h = 0; h < hosts.size(); ++h)
      hosts.world(h).account(users[u], std::string("right ") + users[u]);
  }
  Time now = one.now;
  size_t refused = 0;
  for (int i = 0; i < 1500; ++i) {
    now += std::chrono::seconds(below(10) == 0 ? below(400) : below(8));
    Login login;
    login.user = users[below(6)];
    login.rip = "192.0." + std::to_string(below(4)) + "." + std::to_string(below(3));
    login.password = below(4) == 0 ? "right " + login.user : "wrong " + std::to_string(below(12));
    login.shown = below(8) != 0;
    one.now = now;
    const std::string expected = told(one.login(login));
    const std::string got = told(hosts.login(below(3), login, now));
    ASSERT_EQ(got, expected) << "step " << i << ", seed " << seed << ": " << login.user << " "
                             << login.rip << " " << login.password;
    refused += expected.find("refused") != std::string::npos ||
               expected.find("would") != std::string::npos;
  }
  EXPECT_GT(refused, 100u) << "a sequence that refuses nobody shows nothing";
}

class Agreement : public ::testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    if (!RedisServer::is_installed()) GTEST_SKIP() << "needs Debian's redis-tools";
  }
};

TEST_P(Agreement, OfThreeHostsWithOneThatHasEveryLogin) { compare(GetParam(), all_kinds(), {}); }

TEST_P(Agreement, InObserveMode) {
  Settings settings;
  settings.mode = Mode::kObserve;
  compare(GetParam(), all_kinds(), settings);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Agreement, ::testing::Values(1, 2, 3));

// One subject, and what a rule of it comes to on the test's clock.
class Scripts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::is_installed()) GTEST_SKIP() << "needs Debian's redis-tools";
    server_ = std::make_unique<RedisServer>();
    reserve_sha_ = server_->call({"SCRIPT", "LOAD", std::string(kReserveScript)}).text;
    settle_sha_ = server_->call({"SCRIPT", "LOAD", std::string(kSettleScript)}).text;
    lock_sha_ = server_->call({"SCRIPT", "LOAD", std::string(kLockScript)}).text;
    rule_.id = 1;
    rule_.window = 10min;
    rule_.lasts = 1min;
  }

  SharedReply reserve(uint64_t token, uint64_t password = 0) {
    SharedRequest request;
    request.holds.push_back({7, password, false, {}, {rule_}});
    request.holds[0].rules[0].token = token;
    return parse_reserved(call(reserve_command(keys_, reserve_sha_, request, Milliseconds(5000))))
        .value_or(SharedReply{});
  }
  // A failure; `attempt` names it.
  SettledReply fails(uint64_t attempt, uint64_t token = 0, uint64_t password = 0) {
    SharedSettlement settlement;
    settlement.serial = attempt;
    settlement.holds.push_back({7, password, password != 0, {}, {rule_}});
    settlement.holds[0].rules[0].token = token;
    settlement.holds[0].rules[0].is_event = true;
    return parse_settled(call(settle_command(keys_, settle_sha_, settlement, Milliseconds(0))))
        .value_or(SettledReply{});
  }
  SharedReply::Verdict verdict() { return reserve(99).verdict; }
  Reply call(Command command) {
    command[3 + std::stoul(command[2])] = std::to_string(now_.count());
    Reply reply = server_->call(command);
    EXPECT_NE(reply.kind, Reply::Kind::kError) << reply.text;
    return reply;
  }

  std::unique_ptr<RedisServer> server_;
  const KeyNames keys_{"test"};
  std::string reserve_sha_, settle_sha_, lock_sha_;
  SharedRule rule_;
  Milliseconds now_{1'800'000'000'000};
};

TEST_F(Scripts, CountOnceWhatIsToldTwice) {
  rule_.then = Then::kRefuse;
  rule_.limit = 3;
  for (const Duration merge : {Duration(0), Duration(2s)}) {
    SCOPED_TRACE(merge.count());
    ++rule_.id;
    rule_.merge = merge;  // where events share a cell, the window cannot tell them apart
    for (const uint64_t attempt : {11, 12, 11, 12, 11}) fails(attempt + rule_.id * 100);
    EXPECT_EQ(verdict(), SharedReply::Verdict::kFree);
    fails(13 + rule_.id * 100);
    EXPECT_EQ(verdict(), SharedReply::Verdict::kStruck);
  }
}

TEST_F(Scripts, TellOfALockAgainWhereTheirAnswerWasLost) {
  rule_.limit = 2;
  EXPECT_TRUE(fails(11).locks.empty());
  ASSERT_EQ(fails(12).locks.size(), 1u);
  now_ += 10s;
  const auto again = fails(12).locks;
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].left, 50s);
  EXPECT_EQ(again[0].level, 1u);
  now_ += 51s;
  EXPECT_EQ(verdict(), SharedReply::Verdict::kFree) << "the second telling prolonged nothing";
}

// As an address and its /32 are, where rules count by both.
TEST_F(Scripts, KeepTwoHoldsOnOneSubjectApart) {
  rule_.limit = 2;
  rule_.then = Then::kRefuse;
  SharedRule other = rule_;
  other.id = 2;
  const auto both = [&](auto question, uint64_t token) {
    for (const SharedRule& rule : {rule_, other}) {
      question.holds.push_back({7, 0, false, {}, {rule}});
      question.holds.back().rules[0].token = token;
      question.holds.back().rules[0].is_event = true;
    }
    return question;
  };
  const auto each = [&](SharedReply::Verdict expected) {
    for (const SharedRule& rule : {rule_, other}) {
      SharedRequest request;
      request.holds.push_back({7, 0, false, {}, {rule}});
      request.holds[0].rules[0].token = 99;
      EXPECT_EQ(
          parse_reserved(call(reserve_command(keys_, reserve_sha_, request, Milliseconds(5000))))
              ->verdict,
          expected)
          << rule.id;
    }
  };
  for (const uint64_t token : {31, 32})
    call(reserve_command(keys_, reserve_sha_, both(SharedRequest{}, token), Milliseconds(5000)));
  each(SharedReply::Verdict::kFull);
  for (const uint64_t token : {31, 32}) {
    SharedSettlement settlement = both(SharedSettlement{}, token);
    settlement.serial = token;
    call(settle_command(keys_, settle_sha_, settlement, Milliseconds(0)));
  }
  each(SharedReply::Verdict::kStruck);
}

TEST_F(Scripts, RememberMoreWrongPasswordsThanStandWithTheSubject) {
  rule_.limit = 1000;
  for (uint64_t password = 1; password <= 100; ++password) {
    EXPECT_EQ(reserve(99, password).repeats, 0u) << password;
    fails(password, 99, password);
    now_ += 1s;
  }
  for (uint64_t password = 1; password <= 100; ++password)
    EXPECT_EQ(reserve(password, password).repeats, 1u) << password;
  now_ += 1h;
  for (const uint64_t password : {1, 50, 100})
    EXPECT_EQ(reserve(password, password).repeats, 0u) << password;
}

// Nothing lasts longer than its rule says, from the leap on; and nothing is forgotten by one.
TEST_F(Scripts, BearAClockThatGoesBack) {
  rule_.limit = 2;
  const auto leaps_back = [&] { now_ -= 24h; };
  rule_.then = Then::kRefuse;
  fails(11);
  now_ += 5min;
  fails(12);
  leaps_back();
  EXPECT_EQ(verdict(), SharedReply::Verdict::kStruck) << "the events have happened";
  EXPECT_EQ(reserve(99).struck.left, 5min) << "they are as old as before";
  now_ += 5min;
  EXPECT_EQ(verdict(), SharedReply::Verdict::kFree) << "the window has its length";

  rule_.id = 2;
  rule_.then = Then::kLock;
  fails(21), fails(22);
  leaps_back();
  EXPECT_EQ(verdict(), SharedReply::Verdict::kStruck);
  EXPECT_EQ(reserve(99).struck.left, 1min);
  now_ += 61s;
  EXPECT_EQ(verdict(), SharedReply::Verdict::kFree) << "the lock has its length";

  rule_.id = 3;
  EXPECT_EQ(reserve(31).verdict, SharedReply::Verdict::kFree);
  EXPECT_EQ(reserve(32).verdict, SharedReply::Verdict::kFree);
  leaps_back();
  EXPECT_EQ(verdict(), SharedReply::Verdict::kFull) << "two are being verified";
  now_ += 6s;
  EXPECT_EQ(verdict(), SharedReply::Verdict::kFree) << "their hosts are dead";

  rule_.id = 4;
  fails(41, 0, 5);
  leaps_back();
  EXPECT_EQ(reserve(99, 5).repeats, 1u);
  now_ += 1h;
  EXPECT_EQ(reserve(98, 5).repeats, 0u) << "an hour is an hour";
}

TEST_F(Scripts, BearAClockThatLeapsAhead) {
  rule_.limit = 2;
  fails(11);
  EXPECT_EQ(reserve(31).verdict, SharedReply::Verdict::kFree);
  now_ += 24h;
  EXPECT_EQ(verdict(), SharedReply::Verdict::kFree) << "all is over, early";
  EXPECT_TRUE(fails(12).locks.empty());
  EXPECT_EQ(fails(13).locks.size(), 1u) << "and counting goes on";
}

TEST_F(Scripts, TakeALockOfAHostThatIsLaterOrHigher) {
  rule_.limit = 2;
  const auto host_locks = [&](Duration left, uint32_t level) {
    LockRecord lock;
    lock.rule_id = rule_.id;
    lock.until = Time(now_) + left;
    lock.level = level;
    call(lock_command(keys_, lock_sha_, 7, lock, Time(now_)));
  };
  fails(11);
  host_locks(5min, 3);
  EXPECT_EQ(reserve(99).struck.left, 5min);
  host_locks(1min, 1);
  EXPECT_EQ(reserve(99).struck.left, 5min) << "it was told late";
  now_ += 5min;
  rule_.cap = 24h;
  rule_.factor = 2;
  EXPECT_TRUE(fails(12).locks.empty()) << "what the host counted is used up";
  const auto grown = fails(13).locks;
  ASSERT_EQ(grown.size(), 1u);
  EXPECT_EQ(grown[0].level, 4u);
}

TEST(Replies, AreBounded) {
  const auto is_broken_by = [](std::string_view bytes) {
    ReplyReader reader;
    reader.feed(bytes);
    while (reader.next()) continue;
    return reader.is_broken();
  };
  const std::string many = std::to_string(kMaxReplyItems);
  const std::string long_one(kMaxReplyBytes, 'x');
  EXPECT_FALSE(is_broken_by("*" + many + "\r\n"));
  EXPECT_TRUE(is_broken_by("*" + std::to_string(kMaxReplyItems + 1) + "\r\n"));
  EXPECT_TRUE(is_broken_by("*2147483647\r\n")) << "no room is made for what is announced";
  EXPECT_FALSE(is_broken_by("$2147483647\r\nxyz"));
  EXPECT_TRUE(is_broken_by("$2147483647\r\n" + long_one)) << "nor taken in without end";
  EXPECT_TRUE(is_broken_by("+" + long_one));
  const std::string whole = "$4000000\r\n" + std::string(4'000'000, 'x') + "\r\n";
  EXPECT_FALSE(is_broken_by(whole + whole + whole)) << "of each reply by itself";
  EXPECT_TRUE(is_broken_by("hello\r\n"));
}

}  // namespace
}  // namespace saslatch::state::redis
