#include "daemon/session/check_queue.h"

#include <gtest/gtest.h>

namespace saslatch {
namespace {

using std::chrono::milliseconds;

class Named final : public QueuedCheck {
 public:
  Named(int name, bool familiar, uint64_t connection)
      : QueuedCheck(familiar, connection, Mono()), name_(name) {}
  void run() override {}
  void overload() override {}
  [[nodiscard]] int name() const { return name_; }

 private:
  int name_;
};

class Queue {
 public:
  // 4500 ms of max-hold at 100 ms a check and two workers: 45 places.
  Queue() : queue_(2, milliseconds(4500)) {
    for (int i = 0; i < 200; ++i) queue_.note_duration(milliseconds(100));
  }

  // The name of who had to go; 0: nobody.
  int push(int name, bool familiar, uint64_t connection) {
    const auto gone = queue_.push(std::make_unique<Named>(name, familiar, connection));
    return gone ? static_cast<const Named&>(*gone).name() : 0;
  }
  int pop() {
    const auto check = queue_.pop();
    return check ? static_cast<const Named&>(*check).name() : 0;
  }
  CheckQueue& operator*() { return queue_; }

 private:
  CheckQueue queue_;
};

TEST(CheckQueue, ServesFamiliarPairsFirstAndEachLineInOrder) {
  Queue queue;
  queue.push(1, false, 1);
  queue.push(2, false, 2);
  queue.push(3, true, 3);
  queue.push(4, true, 4);
  for (const int expected : {3, 4, 1, 2, 0}) EXPECT_EQ(queue.pop(), expected);
}

TEST(CheckQueue, HasAsManyPlacesAsCanBeAnsweredInTime) {
  Queue queue;
  EXPECT_NEAR(static_cast<double>((*queue).places()), 45, 1);
  for (int i = 0; i < 200; ++i) (*queue).note_duration(milliseconds(1));
  EXPECT_GT((*queue).places(), 4000u);
  for (int i = 0; i < 200; ++i) (*queue).note_duration(std::chrono::seconds(60));
  EXPECT_EQ((*queue).places(), 2 * CheckQueue::kLeastPlacesPerWorker);
  for (int i = 0; i < 400; ++i) (*queue).note_duration(std::chrono::nanoseconds(1));
  EXPECT_EQ((*queue).places(), CheckQueue::kMostPlaces);
}

TEST(CheckQueue, TurnsStrangersAwayWhenFull) {
  Queue queue;
  const int places = static_cast<int>((*queue).places());
  for (int i = 1; i <= places; ++i) {
    ASSERT_EQ(queue.push(i, false, static_cast<uint64_t>(i)), 0);
  }
  EXPECT_EQ(queue.push(1000, false, 1000), 1000);
  EXPECT_EQ((*queue).size(), static_cast<size_t>(places));
}

TEST(CheckQueue, GivesAFamiliarPairThePlaceOfTheNewestStranger) {
  Queue queue;
  const int places = static_cast<int>((*queue).places());
  for (int i = 1; i <= places; ++i) queue.push(i, false, static_cast<uint64_t>(i));
  EXPECT_EQ(queue.push(1000, true, 1000), places);
  EXPECT_EQ(queue.pop(), 1000);
}

TEST(CheckQueue, TurnsFamiliarPairsAwayOnlyWhenThereIsNoStrangerLeft) {
  Queue queue;
  const int places = static_cast<int>((*queue).places());
  for (int i = 1; i <= places; ++i) queue.push(i, true, static_cast<uint64_t>(i));
  EXPECT_EQ(queue.push(1000, true, 1000), 1000);
}

TEST(CheckQueue, LeavesNoConnectionMoreThanHalf) {
  Queue queue;
  const int half = static_cast<int>((*queue).places()) / 2;
  for (int i = 1; i <= half; ++i) ASSERT_EQ(queue.push(i, false, 7), 0);
  EXPECT_EQ(queue.push(1000, true, 7), 1000) << "familiar or not";
  EXPECT_EQ(queue.push(1001, false, 8), 0) << "the other half is for the others";
  queue.pop();
  EXPECT_EQ(queue.push(1002, false, 7), 0) << "a served check frees its share";
}

}  // namespace
}  // namespace saslatch
