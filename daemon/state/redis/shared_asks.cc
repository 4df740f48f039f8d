// What is asked before a credential is verified, and what is told afterwards.
#include <algorithm>
#include <utility>

#include "daemon/policy/keyed_hash.h"
#include "daemon/state/redis/shared_state.h"

namespace saslatch::state::redis {
namespace {

using policy::SharedReply;

// Where only reservations of other hosts stand in the way, it is asked again after so long: they
// end when a password is checked.
constexpr Milliseconds kAskAgain(25);
// Settlements that wait for a server. Beyond, the oldest go: they are nearest to leaving their
// windows by themselves.
constexpr size_t kMaxBacklog = 100'000;
// On their way at a time.
constexpr size_t kMaxTold = 2'000;

policy::SharedRequest part_of(const policy::SharedRequest& request, size_t hold) {
  return {request.observes, {request.holds[hold]}};
}

// One answer of those to the parts, each of which counts its holds from 0.
SharedReply joined_reply(const std::vector<SharedReply>& parts) {
  if (parts.size() == 1) return parts.front();
  SharedReply joined;
  joined.verdict = SharedReply::Verdict::kFree;
  for (size_t i = 0; i < parts.size(); ++i) {
    const SharedReply& part = parts[i];
    if (part.verdict == SharedReply::Verdict::kStruck) {
      joined = part;
      joined.struck.hold = i;
      return joined;
    }
    if (part.verdict == SharedReply::Verdict::kFull) joined.verdict = part.verdict;
    if (i < 64) joined.repeats |= (part.repeats & 1) << i;
    for (SharedReply::Counted delay : part.delays) {
      delay.hold = i;
      joined.delays.push_back(delay);
    }
  }
  return joined;
}

}  // namespace

void SharedState::reserve(policy::SharedRequest request, Duration patience,
                          std::function<void(SharedReply)> done) {
  auto question = std::make_shared<Ask>();
  question->request = std::move(request);
  question->done = std::move(done);
  question->gives_up = reactor_.now() + patience;
  run([this, question] { ask(question); });
}

// In a cluster the subjects may be on several nodes: each is asked for by itself, all at once, and
// what some of them reserved is given back where another one refuses.
void SharedState::ask(const std::shared_ptr<Ask>& question) {
  if (!usable_ || stopped_) return answer(*question, {});
  question->sent = reactor_.now();
  question->number = ++numbers_;
  asked_[question->number] = question;
  arm();
  const size_t parts = commands_->is_cluster() ? question->request.holds.size() : 1;
  question->parts.assign(parts, {});
  question->unanswered = parts;
  for (size_t i = 0; i < parts; ++i) {
    const Command command = reserve_command(
        keys_, commands_->scripts().reserve_sha(),
        parts == 1 ? question->request : part_of(question->request, i), options_.stands);
    commands_->call(command, [this, question, i, now = connection_](const Reply& reply) {
      if (now == connection_) on_part(question, i, reply);
    });
  }
}

void SharedState::on_part(const std::shared_ptr<Ask>& question, size_t part, const Reply& reply) {
  const auto parsed = parse_reserved(reply);
  if (!parsed) {
    asked_.erase(question->number);
    answer(*question, {});
    return lose("the server cannot answer: " + reply.text);
  }
  question->parts[part] = *parsed;
  if (const auto time = reply.integer_at(1); time && !commands_->is_cluster())
    server_clock_.set(*time, clock_());
  if (--question->unanswered == 0) on_reserved(question);
}

void SharedState::on_reserved(const std::shared_ptr<Ask>& question) {
  const bool in_time = asked_.erase(question->number) > 0;
  const SharedReply reply = joined_reply(question->parts);
  if (!in_time) return release(*question);  // nobody waits for it any more
  if (reply.verdict != SharedReply::Verdict::kFree) release(*question);
  if (reply.verdict == SharedReply::Verdict::kFull &&
      reactor_.now() + kAskAgain < question->gives_up)
    return ask_again(question);
  answer(*question, reply);
}

void SharedState::ask_again(std::shared_ptr<Ask> question) {
  const uint64_t number = question->number;
  parked_[number] = {std::move(question), reactor_.call_after(kAskAgain, [this, number] {
                       const auto it = parked_.find(number);
                       const auto parked = std::move(it->second);
                       parked_.erase(it);
                       ask(parked.first);
                     })};
}

void SharedState::answer_all() {
  const auto parked = std::exchange(parked_, {});
  for (const auto& [number, waiting] : parked) answer(*waiting.first, {});
  const auto asked = std::exchange(asked_, {});
  for (const auto& [number, question] : asked) answer(*question, {});
}

void SharedState::answer(Ask& question, SharedReply reply) {
  if (!question.done) return;
  if (reply.verdict == SharedReply::Verdict::kNoAnswer) metrics_.shared_unanswered.add();
  std::exchange(question.done, {})(std::move(reply));
}

void SharedState::arm() {
  if (expiry_ || asked_.empty()) return;
  const auto left = asked_.begin()->second->sent + options_.budget - reactor_.now();
  expiry_ = reactor_.call_after(std::max(Milliseconds(1), std::chrono::ceil<Milliseconds>(left)),
                                [this] { expire(); });
}

void SharedState::expire() {
  expiry_.reset();
  bool is_late = false;
  while (!asked_.empty()) {
    const auto question = asked_.begin()->second;
    if (reactor_.now() - question->sent < options_.budget) break;
    asked_.erase(asked_.begin());
    answer(*question, {});
    is_late = true;
  }
  if (is_late && !std::exchange(is_slow_, true)) {
    set_usable(false,
               "an answer takes longer than " + std::to_string(options_.budget.count()) + " ms");
    probe();
  }
  arm();
}

void SharedState::release(const Ask& question) {
  policy::SharedSettlement settlement;
  settlement.observes = question.request.observes;
  const bool is_whole = question.parts.size() == 1;
  for (size_t i = 0; i < question.request.holds.size(); ++i) {
    if (question.parts[is_whole ? 0 : i].verdict != SharedReply::Verdict::kFree) continue;
    settlement.holds.push_back(question.request.holds[i]);
    settlement.holds.back().repeat = 0;
  }
  if (!settlement.empty()) tell({std::move(settlement), clock_()});
}

void SharedState::settle(policy::SharedSettlement settlement) {
  run([this, told = std::make_shared<Told>(Told{std::move(settlement), clock_()})] {
    tell(std::move(*told));
  });
}

void SharedState::tell(Told told) {
  if (has_joined_ && backlog_.empty() && told_.size() < kMaxTold) return send(std::move(told));
  backlog_.push_back(std::move(told));
  if (backlog_.size() <= kMaxBacklog) return;
  backlog_.pop_front();
  metrics_.shared_dropped.add();
}

void SharedState::tell_backlog() {
  while (has_joined_ && !backlog_.empty() && told_.size() < kMaxTold) {
    Told told = std::move(backlog_.front());
    backlog_.pop_front();
    send(std::move(told));
  }
}

void SharedState::send(Told told) {
  if (commands_->is_cluster() && told.settlement.holds.size() > 1) {
    for (const policy::SharedHold& hold : told.settlement.holds) {
      Told part = {{told.settlement.observes, told.settlement.tag, told.settlement.serial, {hold}},
                   told.at};
      send(std::move(part));
    }
    return;
  }
  const uint64_t number = ++numbers_;
  const auto age = std::chrono::floor<Milliseconds>(clock_() - told.at);
  commands_->call(settle_command(keys_, commands_->scripts().settle_sha(), told.settlement,
                                 std::max(Milliseconds(0), age)),
                  [this, number, now = connection_](const Reply& reply) {
                    if (now == connection_) on_settled(number, reply);
                  });
  told_[number] = std::move(told);
}

void SharedState::on_settled(uint64_t number, const Reply& reply) {
  const auto it = told_.find(number);
  if (it == told_.end()) return;
  const auto parsed = parse_settled(reply);
  if (!parsed) return lose("the server cannot be told: " + reply.text);
  const policy::SharedSettlement settlement = std::move(it->second.settlement);
  told_.erase(it);
  if (!commands_->is_cluster()) server_clock_.set(parsed->server_time, clock_());
  for (const SharedLock& lock : parsed->locks) note_lock(settlement, lock);
  for (const size_t hold : parsed->gave)
    if (hold < settlement.holds.size())
      replica_.tell(FailuresGivenBack{settlement.holds[hold].subject, settlement.tag});
  tell_backlog();
  end_if_told();
}

// All hosts together have reached a limit: the lock is this host's to set and to tell.
void SharedState::note_lock(const policy::SharedSettlement& settlement, const SharedLock& lock) {
  if (lock.hold >= settlement.holds.size()) return;
  const policy::SharedHold& hold = settlement.holds[lock.hold];
  if (lock.rule >= hold.rules.size()) return;
  const uint64_t rule = hold.rules[lock.rule].id;
  if (settlement.observes) {  // its locks are never real: the server alone has them
    engine_.use_up(policy::mix(hold.subject, rule));
    return replica_.tell(WindowUsedUp{policy::mix(hold.subject, rule)});
  }
  const policy::Time now = clock_();
  const auto set = engine_.learn(policy::LockRecord{policy::mix(hold.subject, rule),
                                                    rule,
                                                    hold.text,
                                                    {},
                                                    now + lock.left,
                                                    lock.left,
                                                    lock.level},
                                 now);
  if (!set) return;
  metrics_.locks_made.add();
  audit_.write(LockEvent{
      now, set->subject, set->rule, set->until, static_cast<int>(set->level), "policy", {}});
}

void SharedState::publish(const policy::Change& change) {
  // What another host told is told.
  if (std::this_thread::get_id() == thread_.load() && replica_.is_applying()) return;
  News news;
  if (const auto* const lock = std::get_if<policy::LockRecord>(&change)) {
    news = *lock;
  } else if (const auto* const familiar = std::get_if<policy::FamiliarRecord>(&change)) {
    news = *familiar;
  } else if (std::holds_alternative<policy::LocksCleared>(change)) {
    news = policy::LocksCleared{};
  } else {
    return;  // what has expired here, or had no room, concerns nobody else
  }
  run([this, news = std::move(news)] { replica_.tell(news); });
}

void SharedState::cleared(uint64_t subject, const std::vector<uint64_t>& locks) {
  run([this, subject, locks] { replica_.tell(SubjectCleared{subject, locks}); });
}

}  // namespace saslatch::state::redis
