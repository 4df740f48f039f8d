#include "daemon/passdb/connection_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <new>

#include "protocol/base/crypto/system_random.h"

namespace saslatch::passdb {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

// A clock that stands still until it is told otherwise.
class HandClock {
 public:
  [[nodiscard]] Time now() const { return Time(std::chrono::milliseconds(ms_.load())); }
  void advance(std::chrono::milliseconds by) { ms_ += by.count(); }

 private:
  std::atomic<int64_t> ms_{1'000'000};
};

struct FakeConnection {
  int number = 0;
  std::atomic<bool>* is_closed = nullptr;
  [[nodiscard]] bool is_alive() const { return !is_closed->load(); }
};
using Pool = ConnectionPool<FakeConnection>;

// A server that can be down, that takes more memory than there is, and that can close what is open.
class PoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Pool> make(size_t connections = 1) {
    return std::make_unique<Pool>(
        PoolSettings{connections, 3000ms},
        [this](const Waiter&, Time) -> Result<std::unique_ptr<FakeConnection>> {
          ++connects_;
          if (is_down_) return failure("connection refused");
          if (is_too_big_) throw std::bad_alloc();
          auto made = std::make_unique<FakeConnection>();
          made->number = connects_;
          made->is_closed = &is_closed_;
          is_closed_ = false;
          return made;
        },
        [this] { return clock_.now(); }, random_);
  }

  // What becomes of one job that ends as `ends` says, in turn.
  std::string ask(Pool& pool, std::vector<JobEnd> ends = {JobEnd{}}) {
    auto answered = std::make_shared<std::promise<std::string>>();
    auto left = std::make_shared<std::vector<JobEnd>>(std::move(ends));
    pool.submit({[this, answered, left](FakeConnection& connection, const Waiter&, Time) {
                   JobEnd end = left->front();
                   left->erase(left->begin());
                   ++runs_;
                   if (end.kind == JobEnd::Kind::kAnswered) {
                     answered->set_value("answered by " + std::to_string(connection.number));
                   }
                   return end;
                 },
                 [answered](std::string reason) { answered->set_value("failed: " + reason); }});
    return answered->get_future().get();
  }

  static JobEnd lost() { return {JobEnd::Kind::kLost, "connection reset"}; }
  static JobEnd timed_out() { return {JobEnd::Kind::kTimedOut, "no answer"}; }

  HandClock clock_;
  SystemRandom random_;
  std::atomic<bool> is_down_{false};
  std::atomic<bool> is_too_big_{false};
  std::atomic<bool> is_closed_{false};
  std::atomic<int> connects_{0};
  std::atomic<int> runs_{0};
};

TEST_F(PoolTest, KeepsItsConnection) {
  const auto pool = make();
  EXPECT_EQ(ask(*pool), "answered by 1");
  EXPECT_EQ(ask(*pool), "answered by 1");
  EXPECT_EQ(pool->trouble(), "");
}

TEST_F(PoolTest, FailsAtOnceWhileItMustNotTryAgain) {
  is_down_ = true;
  const auto pool = make();
  EXPECT_EQ(ask(*pool), "failed: connection refused");
  EXPECT_EQ(ask(*pool), "failed: connection refused");
  EXPECT_EQ(connects_, 1) << "the second did not try";
  EXPECT_EQ(pool->trouble(), "connection refused");
  is_down_ = false;
  clock_.advance(Backoff::kShortest);
  EXPECT_EQ(ask(*pool), "answered by 2");
  EXPECT_EQ(pool->trouble(), "");
}

TEST_F(PoolTest, AsksAgainOverANewConnectionWhereAnOldOneWasClosed) {
  const auto pool = make();
  EXPECT_EQ(ask(*pool), "answered by 1");
  EXPECT_EQ(ask(*pool, {lost(), JobEnd{}}), "answered by 2");
  is_closed_ = true;
  EXPECT_EQ(ask(*pool), "answered by 3") << "seen before anything was sent";
  EXPECT_EQ(runs_, 4);
}

TEST_F(PoolTest, GoesOnAfterALackOfMemory) {
  const auto pool = make();
  EXPECT_EQ(ask(*pool), "answered by 1");
  for (int i = 0; i < 3; ++i) {
    std::promise<void> met;
    pool->submit({[&met](FakeConnection&, const Waiter&, Time) -> JobEnd {
                    met.set_value();
                    throw std::bad_alloc();
                  },
                  [](const std::string&) { ADD_FAILURE() << "perhaps it was answered before"; }});
    met.get_future().wait();
  }
  EXPECT_EQ(ask(*pool), "answered by 4");
  is_too_big_ = true;
  EXPECT_EQ(ask(*pool, {lost(), JobEnd{}}), "failed: out of memory");
  is_too_big_ = false;
  clock_.advance(Backoff::kShortest);
  EXPECT_EQ(ask(*pool), "answered by 6");
}

TEST_F(PoolTest, DoesNotAskForEver) {
  const auto pool = make();
  EXPECT_EQ(ask(*pool, {lost(), lost()}), "failed: connection reset") << "on a fresh one: once";
  EXPECT_EQ(ask(*pool), "answered by 2");
  EXPECT_EQ(ask(*pool, {lost(), lost()}), "failed: connection reset");
  EXPECT_EQ(runs_, 4);
}

TEST_F(PoolTest, DropsAConnectionThatDidNotAnswerInTime) {
  const auto pool = make();
  EXPECT_EQ(ask(*pool), "answered by 1");
  EXPECT_EQ(ask(*pool, {timed_out()}), "failed: no answer");
  EXPECT_EQ(ask(*pool), "answered by 2");
  EXPECT_EQ(pool->trouble(), "");
}

// A job that runs until it is let go. It must outlive the pool: the job may still be on its way
// into the gate when somebody opens it.
class Gate {
 public:
  Pool::Job job(std::atomic<int>& failed) {
    return {[this](FakeConnection&, const Waiter&, Time) {
              entered_.set_value();
              open_.get_future().wait();
              return JobEnd{};
            },
            [&failed](const std::string&) { ++failed; }};
  }
  void wait_entered() { entered_.get_future().wait(); }
  void open() { open_.set_value(); }

 private:
  std::promise<void> entered_;
  std::promise<void> open_;
};

TEST_F(PoolTest, IsBoundedAndFailsWhatWaitedTooLong) {
  std::atomic<int> failed{0};
  std::atomic<int> ran{0};
  std::promise<void> all_failed;
  std::string reason;
  Gate gate;
  const auto pool = make();
  pool->submit(gate.job(failed));
  gate.wait_entered();
  const auto count = [&](FakeConnection&, const Waiter&, Time) {
    ++ran;
    return JobEnd{};
  };
  for (size_t i = 0; i < kQueuedPerConnection; ++i) {
    pool->submit({count, [&](const std::string&) {
                    if (++failed == static_cast<int>(kQueuedPerConnection)) all_failed.set_value();
                  }});
  }
  pool->submit({count, [&reason](std::string why) { reason = std::move(why); }});
  EXPECT_EQ(reason, "too many look-ups wait for it");
  EXPECT_EQ(failed, 0);
  clock_.advance(3000ms);
  gate.open();
  all_failed.get_future().wait();
  EXPECT_EQ(ask(*pool), "answered by 1");
  EXPECT_EQ(ran, 0);
}

TEST_F(PoolTest, HasAsManyConnectionsAsAreNeededAndNoMore) {
  std::atomic<int> failed{0};
  std::promise<void> third;
  Gate first;
  Gate second;
  const auto pool = make(2);
  pool->submit(first.job(failed));
  first.wait_entered();
  pool->submit(second.job(failed));
  second.wait_entered();
  EXPECT_EQ(connects_, 2);
  pool->submit({[&third](FakeConnection&, const Waiter&, Time) {
                  third.set_value();
                  return JobEnd{};
                },
                [](const std::string&) {}});
  first.open();
  third.get_future().wait();
  second.open();
  EXPECT_EQ(connects_, 2);
}

TEST_F(PoolTest, LeavesWorkToWhoHasAConnectionWhereTheServerGivesNoMore) {
  std::atomic<int> failed{0};
  std::promise<int> answered;
  Gate gate;
  const auto pool = make(2);
  EXPECT_EQ(ask(*pool), "answered by 1");
  is_down_ = true;
  pool->submit(gate.job(failed));
  gate.wait_entered();
  pool->submit({[&answered](FakeConnection& connection, const Waiter&, Time) {
                  answered.set_value(connection.number);
                  return JobEnd{};
                },
                [&failed](const std::string&) { ++failed; }});
  gate.open();
  EXPECT_EQ(answered.get_future().get(), 1);
  EXPECT_EQ(failed, 0);
}

TEST_F(PoolTest, AnswersEverybodyWhenItStops) {
  std::atomic<int> failed{0};
  Gate gate;
  const auto pool = make();
  pool->submit(gate.job(failed));
  gate.wait_entered();
  pool->submit({[](FakeConnection&, const Waiter&, Time) { return JobEnd{}; },
                [&failed](const std::string&) { ++failed; }});
  std::thread stopper([&] { pool->stop(); });
  gate.open();
  stopper.join();
  EXPECT_EQ(ask(*pool), "failed: it is being stopped");
}

TEST(BackoffTest, WaitsTwiceAsLongEachTimeAndNeverTooLong) {
  SystemRandom random;
  Backoff backoff(random);
  Time now{};
  EXPECT_TRUE(backoff.is_over(now));
  auto full = Backoff::kShortest;
  for (int i = 0; i < 40; ++i) {
    backoff.failed(now);
    const auto wait = backoff.retry_at() - now;
    EXPECT_LE(wait, full);
    EXPECT_GE(wait, full / 2);
    EXPECT_FALSE(backoff.is_over(now));
    EXPECT_TRUE(backoff.is_over(backoff.retry_at()));
    full = std::min(Backoff::kLongest, full * 2);
  }
  backoff.succeeded();
  EXPECT_TRUE(backoff.is_over(now));
}

}  // namespace
}  // namespace saslatch::passdb
