#include "daemon/session/answer_book.h"

namespace saslatch {
namespace {

// When an answer that was decided at the last moment is asked for again.
constexpr std::chrono::milliseconds kInAMoment(10);

}  // namespace

AnswerBook::~AnswerBook() {
  for (const auto& [key, entry] : entries_) {
    if (!entry.attempt) services_.metrics.held_answers.add(-1);
  }
}

AnswerBook::Begun AnswerBook::begin(std::shared_ptr<const Settings> settings,
                                    AttemptRequest&& request, Now now) {
  const uint64_t key = ++last_key_;
  auto attempt = std::make_shared<Attempt>(services_, std::move(settings),
                                           Attempt::Origin{mailbox_, key, connection_}, now);
  std::optional<Answer> answer = attempt->begin(std::move(request));
  if (answer) return settle(key, std::move(*answer), now);
  const Mono due = attempt->answer_by();
  const auto entry = entries_.emplace(key, Entry{due, std::move(attempt), {}, {}}).first;
  by_due_.emplace(due, entry->first);
  return {key, std::nullopt};
}

AnswerBook::Begun AnswerBook::hold(Answer answer, Now now) {
  return settle(++last_key_, std::move(answer), now);
}

AnswerBook::Begun AnswerBook::settle(uint64_t key, Answer answer, Now now) {
  if (answer.not_before <= now.mono) return {key, std::move(answer)};
  Entry entry{answer.not_before, nullptr, std::move(answer), holds_.hold(mailbox_, key)};
  by_due_.emplace(entry.due, key);
  entries_.emplace(key, std::move(entry));
  services_.metrics.held_answers.add(1);
  return {key, std::nullopt};
}

void AnswerBook::on_answer(uint64_t key, Answer answer, Now now) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || !entry->second.attempt) return;
  erase(entry);
  if (Begun begun = settle(key, std::move(answer), now); begun.answer) {
    ready_.emplace_back(key, std::move(*begun.answer));
  }
}

void AnswerBook::on_release(uint64_t key) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.attempt) return;
  services_.metrics.held_released_early.add();
  finish(entry);
}

void AnswerBook::on_wake(uint64_t key, Now now) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || !entry->second.attempt) return;
  // The attempt may be answered by mail before retry() returns, but mail comes later to this loop.
  if (std::optional<Answer> answer = entry->second.attempt->retry(now)) {
    on_answer(key, std::move(*answer), now);
  }
}

void AnswerBook::on_deadline(Now now) {
  while (!by_due_.empty() && by_due_.begin()->first <= now.mono) {
    const auto entry = entries_.find(by_due_.begin()->second);
    if (!entry->second.attempt) {
      finish(entry);
      continue;
    }
    const uint64_t key = entry->first;
    const std::shared_ptr<Attempt> attempt = entry->second.attempt;
    if (std::optional<Answer> answer = attempt->time_out(now)) {
      on_answer(key, std::move(*answer), now);
    } else {
      // Decided in this very moment: its mail is on the way, unless it waits for a disk.
      by_due_.erase(by_due_.begin());
      entry->second.due = now.mono + kInAMoment;
      by_due_.emplace(entry->second.due, key);
    }
  }
}

std::optional<Mono> AnswerBook::next_deadline() const {
  if (by_due_.empty()) return std::nullopt;
  return by_due_.begin()->first;
}

void AnswerBook::release_all() {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (!entry->second.attempt) finish(entry);
    entry = next;
  }
}

void AnswerBook::drop_undecided() {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->second.attempt) erase(entry);
    entry = next;
  }
}

void AnswerBook::forget(uint64_t key) {
  const auto entry = entries_.find(key);
  if (entry != entries_.end()) erase(entry);
}

void AnswerBook::finish(Entries::iterator entry) {
  ready_.emplace_back(entry->first, std::move(entry->second.answer));
  erase(entry);
}

void AnswerBook::erase(Entries::iterator entry) {
  if (!entry->second.attempt) services_.metrics.held_answers.add(-1);
  by_due_.erase({entry->second.due, entry->first});
  entries_.erase(entry);
}

}  // namespace saslatch
