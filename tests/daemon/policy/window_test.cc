#include "daemon/policy/window.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <random>
#include <set>

#include "daemon/policy/keyed_hash.h"
#include "daemon/policy/settings.h"
#include "daemon/policy/table.h"

namespace saslatch::policy {
namespace {

using namespace std::chrono_literals;  // NOLINT: tests only

const Time kStart{std::chrono::sys_days(std::chrono::year(2030) / 1 / 1)};

Shape shape(Count count, uint32_t events, Duration window, Then then = Then::kLock) {
  Rule rule;
  rule.count = count;
  rule.limit = {events, window};
  rule.then = then;
  return Shape::of(rule);
}

TEST(KeyedHash, GivesTheVectorsOfSipHash24) {
  // Aumasson and Bernstein, "SipHash: a fast short-input PRF", appendix A: key 00..0f, input
  // 00..0e; the first eight bytes of the input are our domain.
  HashKey key;
  for (uint8_t i = 0; i < key.size(); ++i) key[i] = i;
  EXPECT_EQ(keyed_hash(key, 0x0706050403020100, "\x08\x09\x0a\x0b\x0c\x0d\x0e"),
            0xa129ca6149be45e5u);
  // From the reference implementation's table: input of 8 and of 16 bytes.
  EXPECT_EQ(keyed_hash(key, 0x0706050403020100, ""), 0x93f5f5799a932462u);
  EXPECT_EQ(keyed_hash(key, 0x0706050403020100, "\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"),
            0x3f2acc7f57c29bdbu);
}

TEST(Window, SlidesExactlyToTwoTicks) {
  const Shape ten = shape(Count::kFailures, 10, 1min);
  Window window;
  window.add(ten, kStart, 0, 1);
  window.add(ten, kStart + 30s, 0, 1);
  EXPECT_TRUE(window.advance(ten, kStart + 60s));
  EXPECT_EQ(window.count(ten), 2u) << "an event left before its window was over";
  window.advance(ten, kStart + 60s + 2 * kTick);
  EXPECT_EQ(window.count(ten), 1u);
  EXPECT_FALSE(window.advance(ten, kStart + 90s + 2 * kTick));
  EXPECT_EQ(window.heap_bytes(), 0u);
}

TEST(Window, EqualsAListOfTimesInTenThousandRandomSteps) {
  std::mt19937 random(7);
  for (const Duration length : {Duration(100ms), Duration(10s), Duration(24h), kMaxWindow}) {
    const Shape hundred = shape(Count::kFailures, kExactEvents, length);
    Window window;
    std::deque<Time> list;
    Time now = kStart;
    for (int step = 0; step < 10'000; ++step) {
      // From bursts to silence longer than the window, in whole ticks.
      now += kTick * static_cast<int64_t>(
                         std::exp(std::uniform_real_distribution<>(
                             0, std::log(1.3 * static_cast<double>(length / kTick)))(random)) -
                         1);
      if (now > std::chrono::sys_days(std::chrono::year(2100) / 1 / 1))
        break;  // 32 bits end in 2106
      window.advance(hundred, now);
      while (!list.empty() && now - list.front() > length) list.pop_front();
      ASSERT_EQ(window.count(hundred), list.size()) << length.count() << " ms, step " << step;
      if (list.size() == hundred.limit) {
        window.clear();
        list.clear();
      }
      window.add(hundred, now, 0, 1);
      list.push_back(now);
    }
  }
}

TEST(Window, AboveTheExactLimitNeverLosesAnEventEarlyNorKeepsItAFiftiethLonger) {
  const Shape thousand = shape(Count::kFailures, 1000, 10min);
  std::mt19937 random(11);
  Window window;
  std::deque<Time> list;
  Time now = kStart;
  for (int step = 0; step < 20'000; ++step) {
    now += Duration(std::uniform_int_distribution<>(0, 3000)(random));
    window.advance(thousand, now);
    const auto inside = [&](Duration span) {
      return std::count_if(list.begin(), list.end(), [&](Time at) { return now - at <= span; });
    };
    while (!list.empty() && now - list.front() > 12min) list.pop_front();
    ASSERT_GE(window.count(thousand), inside(10min)) << step;
    ASSERT_LE(window.count(thousand), inside(10min + 12s)) << step;
    window.add(thousand, now, 0, 1);
    list.push_back(now);
  }
  EXPECT_LE(window.heap_bytes(), 4096u);
}

TEST(Window, KeepsItsMemoryWhateverTheTraffic) {
  const Shape million = shape(Count::kFailures, kMaxLimitEvents, 1h);
  Window window;
  for (uint32_t i = 0; i < 500'000; ++i)
    window.add(million, kStart + Duration(i * 7), 0, i % 1000 + 1);  // a thousand networks by turns
  EXPECT_LE(window.heap_bytes(), 4096u);
  window.advance(million, kStart + Duration(500'000 * 7));
  EXPECT_GE(window.count(million), 490'000u);
}

TEST(Window, OfARateKeepsTheNewestEventsOnly) {
  const Shape three = shape(Count::kAttempts, 3, 1min, Then::kRefuse);
  Window window;
  for (int i = 0; i < 50; ++i) window.add(three, kStart + i * 1s, 0, 1);
  EXPECT_EQ(window.count(three), 3u);
  const Time ends = window.below_limit_at(three, kStart + 50s);
  EXPECT_GE(ends, kStart + 47s + 60s);
  EXPECT_LE(ends, kStart + 47s + 60s + 2 * kTick);
  window.advance(three, ends);
  EXPECT_EQ(window.count(three), 2u);
}

TEST(Window, CountsDifferentMembersExactlyWhileSmall) {
  const Shape users = shape(Count::kDistinctUsers, 10'000, 1h);
  Window window;
  for (int round = 0; round < 3; ++round)
    for (uint32_t id = 0; id < kExactMembers; ++id)
      window.add(users, kStart + round * 1min, id * 2654435761u, 1);
  EXPECT_EQ(window.count(users), kExactMembers);
  EXPECT_TRUE(window.knows(5 * 2654435761u));
  EXPECT_FALSE(window.knows(3'000'000'019u));
}

TEST(Window, EstimatesManyMembersWithTheStatedError) {
  const Shape users = shape(Count::kDistinctUsers, kMaxLimitEvents, 1h);
  std::mt19937 random(3);
  for (const uint32_t members : {600u, 2'000u, 20'000u, 60'000u}) {
    double squares = 0;
    constexpr int kRuns = 40;
    for (int run = 0; run < kRuns; ++run) {
      Window window;
      for (uint32_t i = 0; i < members; ++i)
        window.add(users, kStart, static_cast<uint32_t>(random()), 1);
      const double error = window.count(users) / static_cast<double>(members) - 1;
      squares += error * error;
      EXPECT_LT(std::abs(error), 4 * 0.063) << members;
    }
    EXPECT_LT(std::sqrt(squares / kRuns), 0.063 * 1.2) << members;
  }
}

TEST(Window, GivesBackOneNetworksEventsOnly) {
  const Shape ten = shape(Count::kFailures, 10, 1min);
  Window window;
  for (const uint32_t network : {7u, 9u, 7u, 7u}) window.add(ten, kStart, 0, network);
  EXPECT_TRUE(window.give_back(7));
  EXPECT_EQ(window.count(ten), 1u);
  EXPECT_FALSE(window.give_back(7));
}

TEST(Window, DoesNotGiveBackWhatItHasMixedWithAnotherNetwork) {
  const Shape thousands = shape(Count::kFailures, 5000, 1h);
  Window window;
  for (uint32_t i = 0; i < 1000; ++i) window.add(thousands, kStart, 0, i % 2 + 1);
  window.give_back(1);
  EXPECT_GE(window.count(thousands), 500u) << "failures of the other network were taken back";
  EXPECT_LT(window.count(thousands), 1000u);
}

TEST(Window, SurvivesAClockThatGoesBack) {
  for (const Duration step : {Duration(5s), Duration(1h), Duration(24h * 400)}) {
    const Shape ten = shape(Count::kFailures, 10, 1min);
    Window window;
    for (int i = 0; i < 5; ++i) window.add(ten, kStart + i * 10s, 0, 1);
    const Time back = kStart + 40s - step;
    window.advance(ten, back);
    EXPECT_EQ(window.count(ten), 5u) << "a step back opened the window";
    EXPECT_FALSE(window.advance(ten, back + 60s + 2 * kTick)) << "events stay longer than 1m";
  }
}

TEST(Window, ForgetsWhatSleptForMonths) {
  const Shape ninety = shape(Count::kFailures, 100, kMaxWindow);
  Window window;
  window.add(ninety, kStart, 0, 1);
  for (const auto days : {91, 150, 181, 198, 199, 250, 400, 5000}) {
    Window copy;
    std::string bytes;
    window.save(bytes, false);
    ASSERT_TRUE(copy.load(bytes));
    EXPECT_FALSE(copy.advance(ninety, kStart + days * 24h)) << days;
  }
}

TEST(Window, LoadsWhatItSavedAndNothingElse) {
  const Shape passwords = shape(Count::kDistinctPasswords, 10, 1min);
  Window window;
  for (const uint32_t id : {11u, 22u, 33u}) window.add(passwords, kStart, id, 1);
  std::string plain, anonymous;
  window.save(plain, false);
  window.save(anonymous, true);
  Window copy;
  ASSERT_TRUE(copy.load(plain));
  EXPECT_TRUE(copy.knows(22));
  ASSERT_TRUE(copy.load(anonymous));
  EXPECT_EQ(copy.count(passwords), 3u);
  EXPECT_FALSE(copy.knows(22)) << "something made of a password was saved";
  for (size_t cut = 0; cut < plain.size(); ++cut) {
    EXPECT_FALSE(copy.load(plain.substr(0, cut))) << cut;
    EXPECT_TRUE(copy.empty());
  }
  EXPECT_FALSE(copy.load(plain + "x"));
}

struct Numbered {
  uint64_t key;
  uint64_t value = 0;
  explicit Numbered(uint64_t table_key) : key(table_key) {}
};

TEST(Table, EqualsASetInAHundredThousandRandomSteps) {
  std::mt19937_64 random(5);
  Table<Numbered> table;
  std::set<uint64_t> set;
  for (int step = 0; step < 100'000; ++step) {
    // Few keys, some with the same home and tag: probing, wrapping and vacating all happen.
    const uint64_t n = random() % 700;
    const uint64_t key = (n % 50) << 32 | (n % 13) << 16 | n;
    const bool grows = step / 20'000 % 2 == 0;
    if (random() % 10 < (grows ? 7u : 3u)) {
      const auto [entry, is_new] = table.insert(key);
      ASSERT_EQ(is_new, set.insert(key).second);
      entry->value = key;
    } else {
      ASSERT_EQ(table.erase(key), set.erase(key) == 1);
    }
    ASSERT_EQ(table.size(), set.size());
    if (step % 100 != 0) continue;
    for (const uint64_t there : set) {
      const Numbered* entry = table.find(there);
      ASSERT_TRUE(entry != nullptr && entry->value == there);
    }
  }
}

}  // namespace
}  // namespace saslatch::policy
