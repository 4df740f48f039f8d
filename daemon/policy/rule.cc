#include "daemon/policy/rule.h"

#include <array>

namespace saslatch::policy {
namespace {

template <typename E>
struct Word {
  E value;
  std::string_view text;
};

constexpr std::array<Word<Count>, 5> kCounts{{{Count::kAttempts, "attempts"},
                                              {Count::kFailures, "failures"},
                                              {Count::kUnknownUsers, "unknown-users"},
                                              {Count::kDistinctUsers, "distinct-users"},
                                              {Count::kDistinctPasswords, "distinct-passwords"}}};
constexpr std::array<Word<By>, 6> kBys{{{By::kIp, "ip"},
                                        {By::kNetwork, "network"},
                                        {By::kUser, "user"},
                                        {By::kUserNetwork, "user+network"},
                                        {By::kPassword, "password"},
                                        {By::kEveryone, "everyone"}}};
constexpr std::array<Word<Then>, 3> kThens{
    {{Then::kLock, "lock"}, {Then::kRefuse, "refuse"}, {Then::kDelay, "delay"}}};
constexpr std::array<Word<Answer>, 2> kAnswers{
    {{Answer::kFail, "fail"}, {Answer::kTemporary, "temporary"}}};

template <typename E, size_t N>
std::string_view text_of(const std::array<Word<E>, N>& words, E value) {
  for (const auto& word : words)
    if (word.value == value) return word.text;
  return "";
}

template <typename E, size_t N>
std::optional<E> value_of(const std::array<Word<E>, N>& words, std::string_view text) {
  for (const auto& word : words)
    if (word.text == text) return word.value;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Count count) { return text_of(kCounts, count); }
std::string_view to_string(By by) { return text_of(kBys, by); }
std::string_view to_string(Then then) { return text_of(kThens, then); }
std::string_view to_string(Answer answer) { return text_of(kAnswers, answer); }
std::optional<Count> parse_count(std::string_view text) { return value_of(kCounts, text); }
std::optional<By> parse_by(std::string_view text) { return value_of(kBys, text); }
std::optional<Then> parse_then(std::string_view text) { return value_of(kThens, text); }
std::optional<Answer> parse_answer(std::string_view text) { return value_of(kAnswers, text); }

}  // namespace saslatch::policy
