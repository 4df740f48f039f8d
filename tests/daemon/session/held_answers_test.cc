#include "daemon/session/held_answers.h"

#include <gtest/gtest.h>

#include <vector>

namespace saslatch {
namespace {

class Box final : public Mailbox {
 public:
  void deliver(uint64_t, Answer) override {}
  void release(uint64_t key) override { released.push_back(key); }
  void wake(uint64_t) override {}
  void run(std::function<void(Now)>) override {}
  [[nodiscard]] bool is_open() const override { return true; }
  std::vector<uint64_t> released;
};

TEST(HeldAnswers, ReleasesTheOldestBeyondTheLimit) {
  const auto box = std::make_shared<Box>();
  HeldAnswers held(2);
  std::vector<HeldAnswers::Hold> holds;
  for (uint64_t key = 1; key <= 4; ++key) holds.push_back(held.hold(box, key));
  EXPECT_EQ(box->released, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(held.size(), 2u);
}

TEST(HeldAnswers, ForgetsWhatWasWritten) {
  const auto box = std::make_shared<Box>();
  HeldAnswers held(2);
  for (uint64_t key = 1; key <= 100; ++key) {
    const HeldAnswers::Hold hold = held.hold(box, key);
    EXPECT_EQ(held.size(), 1u);
  }
  EXPECT_EQ(held.size(), 0u);
  EXPECT_TRUE(box->released.empty());
}

TEST(HeldAnswers, PassesOverWhatWasWrittenOutOfTurn) {
  const auto box = std::make_shared<Box>();
  HeldAnswers held(2);
  std::vector<HeldAnswers::Hold> holds;
  holds.push_back(held.hold(box, 1));
  holds.push_back(held.hold(box, 2));
  holds[0] = {};
  holds.push_back(held.hold(box, 3));
  EXPECT_TRUE(box->released.empty());
  holds.push_back(held.hold(box, 4));
  EXPECT_EQ(box->released, (std::vector<uint64_t>{2}));
}

TEST(HeldAnswers, SurvivesAClientThatIsGone) {
  HeldAnswers held(1);
  auto box = std::make_shared<Box>();
  const HeldAnswers::Hold first = held.hold(box, 1);
  box.reset();
  const auto other = std::make_shared<Box>();
  const HeldAnswers::Hold second = held.hold(other, 2);
  EXPECT_EQ(held.size(), 1u);
}

}  // namespace
}  // namespace saslatch
