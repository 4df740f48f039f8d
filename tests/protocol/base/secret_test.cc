#include "protocol/base/secret.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace saslatch {
namespace {

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);

TEST(Secret, KeepsNulBytesAndMovesWhole) {
  Secret first(std::string_view("a\0b", 3));
  Secret second(std::move(first));
  EXPECT_EQ(second.reveal(), std::string_view("a\0b", 3));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what a moved-from secret is
}

TEST(Secret, TakeWipesItsSource) {
  std::string source = "correct horse battery staple";
  const char* const storage = source.data();
  const Secret secret = Secret::take(source);
  EXPECT_EQ(secret.reveal(), "correct horse battery staple");
  EXPECT_TRUE(source.empty());
  EXPECT_EQ(std::string_view(storage, 4), std::string_view("\0\0\0\0", 4));
}

TEST(Wipe, ReachesWhatALongerValueLeftBehind) {
  std::string text = "a long secret that was here before";
  const char* const storage = text.data();
  text.resize(2);
  wipe(text);
  EXPECT_EQ(std::string_view(storage + 10, 8), std::string_view("\0\0\0\0\0\0\0\0", 8));
}

}  // namespace
}  // namespace saslatch
