#include "daemon/net/workers.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <new>
#include <thread>

#include "daemon/net/clock.h"

namespace saslatch::net {
namespace {

class Promise final : public QueuedCheck {
 public:
  Promise(Mono answer_by, std::promise<std::string>& what)
      : QueuedCheck(false, 1, answer_by), what_(what) {}
  void run() override { what_.set_value("ran"); }
  void overload() override { what_.set_value("overload"); }

 private:
  std::promise<std::string>& what_;
};

WorkerPool::Figures figures_of(Metrics& metrics) {
  return {metrics.check_queue, metrics.checks_running, metrics.check_wait, metrics.check_duration,
          metrics.out_of_memory};
}

class WorkersTest : public ::testing::Test {
 protected:
  std::string outcome_of_check(Mono answer_by) {
    std::promise<std::string> what;
    pool.submit(std::make_unique<Promise>(answer_by, what));
    return what.get_future().get();
  }

  Clock clock;
  Metrics metrics;
  WorkerPool pool{2, {}, std::chrono::milliseconds(4500), clock, figures_of(metrics)};
};

TEST_F(WorkersTest, RunWhatIsStillWaitedFor) {
  pool.start();
  EXPECT_EQ(outcome_of_check(clock.read().mono + std::chrono::hours(1)), "ran");
  EXPECT_EQ(outcome_of_check(clock.read().mono - std::chrono::seconds(1)), "overload");
}

class OutOfMemory final : public QueuedCheck {
 public:
  OutOfMemory(std::promise<std::string>& what, bool at_overload)
      : QueuedCheck(false, 1, Mono::max()), what_(what), at_overload_(at_overload) {}
  void run() override { throw std::bad_alloc(); }
  void overload() override {
    what_.set_value("overload");
    if (at_overload_) throw std::bad_alloc();
  }

 private:
  std::promise<std::string>& what_;
  bool at_overload_;
};

TEST_F(WorkersTest, AnswerACheckThatLacksMemoryAsOverloadAndGoOn) {
  pool.start();
  for (const bool at_overload : {false, true, false}) {
    std::promise<std::string> what;
    pool.submit(std::make_unique<OutOfMemory>(what, at_overload));
    EXPECT_EQ(what.get_future().get(), "overload");
  }
  EXPECT_EQ(outcome_of_check(Mono::max()), "ran");
  pool.stop();
  EXPECT_EQ(metrics.out_of_memory.value(), 4u);
  EXPECT_EQ(metrics.checks_running.value(), 0);
}

TEST_F(WorkersTest, FinishWhatWaitsBeforeTheyStop) {
  std::promise<std::string> what;
  pool.submit(std::make_unique<Promise>(clock.read().mono + std::chrono::hours(1), what));
  pool.start();
  pool.stop();
  EXPECT_EQ(what.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

TEST(WorkerPool, TellsItsThreadsWhenTheyBeginAndWhenNothingComes) {
  Clock clock;
  Metrics metrics;
  std::promise<std::thread::id> began;
  std::promise<std::thread::id> idle;
  int nice = -1;
  WorkerPool pool(
      1,
      {3,
       [&] {
         nice = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
         began.set_value(std::this_thread::get_id());
       },
       [&] { idle.set_value(std::this_thread::get_id()); }, std::chrono::milliseconds(1)},
      std::chrono::milliseconds(4500), clock, figures_of(metrics));
  const int before = getpriority(PRIO_PROCESS, 0);
  pool.start();
  EXPECT_EQ(idle.get_future().get(), began.get_future().get());
  EXPECT_EQ(nice, std::min(before + 3, 19));
}

TEST(Housekeeping, RunsItsTasksAgainAndAgainUntilItStops) {
  Clock clock;
  Metrics metrics;
  Housekeeping housekeeping(clock, metrics.out_of_memory);
  std::promise<void> third;
  int runs = 0;
  housekeeping.every(std::chrono::milliseconds(1), [&](Now) {
    if (++runs == 3) third.set_value();
  });
  housekeeping.start();
  third.get_future().get();
  housekeeping.stop();
  EXPECT_GE(runs, 3);
}

TEST(Housekeeping, RunsATaskAgainThatLackedMemory) {
  Clock clock;
  Metrics metrics;
  std::promise<void> again;
  int runs = 0;
  Housekeeping housekeeping(clock, metrics.out_of_memory);
  housekeeping.every(std::chrono::milliseconds(1), [&](Now) {
    if (++runs <= 2) throw std::bad_alloc();
    if (runs == 3) again.set_value();
  });
  housekeeping.start();
  again.get_future().wait();
  housekeeping.stop();
  EXPECT_EQ(metrics.out_of_memory.value(), 2u);
}

}  // namespace
}  // namespace saslatch::net
