#include <algorithm>
#include <new>
#include <utility>

#include "daemon/session/attempt.h"

// How an attempt ends: what the check said becomes a settlement, an audit event and an answer.

namespace saslatch {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

AuthCause cause_of(policy::Cause cause) {
  switch (cause) {
    case policy::Cause::kLocked:
      return AuthCause::kLocked;
    case policy::Cause::kRate:
    case policy::Cause::kDelay:
      break;  // a delay refuses nobody
  }
  return AuthCause::kRate;
}

Would would_of(policy::Cause cause) {
  switch (cause) {
    case policy::Cause::kLocked:
      return Would::kLocked;
    case policy::Cause::kRate:
      return Would::kRate;
    case policy::Cause::kDelay:
      break;
  }
  return Would::kDelay;
}

void note_would(AuthEvent& event, const std::optional<policy::Hit>& hit) {
  if (!hit) return;
  event.would = would_of(hit->cause);
  event.rule = hit->rule;
  event.subject = hit->subject;
}

// failure-delay ±20 %: answers that come by a clock's tick tell what was done meanwhile.
milliseconds jittered(milliseconds delay, Random& random) {
  const auto spread = static_cast<uint64_t>(delay.count() * 2 / 5);
  if (spread == 0) return delay;
  return delay * 4 / 5 + milliseconds(random.below(spread + 1));
}

// An event of the client's, to be filled in where it stands: it has a dozen strings.
Event event_of(const ClientFacts& client, Now now) {
  Event made(std::in_place_type<AuthEvent>);
  AuthEvent& event = std::get<AuthEvent>(made);
  event.ts = now.wall;
  // An address that was written without a colon is canonical as it is.
  const bool is_canonical =
      !client.rip || (!client.rip_text.empty() && client.rip_text.find(':') == std::string::npos);
  event.rip = is_canonical ? client.rip_text : client.rip->to_string();
  event.mech = client.mechanism;
  event.service = client.service;
  event.secured = client.secured;
  event.listener = client.listener;
  event.session = client.session;
  return made;
}

void record(AttemptServices& services, const Event& event) {
  services.metrics.count(std::get<AuthEvent>(event));
  services.audit.write(event);
}

}  // namespace

void Attempt::on_checked(passdb::CheckResult&& result) noexcept {
  if (is_put_off(result)) return;
  guarded([&] { decide(std::move(result)); });
}

bool Attempt::is_put_off(const passdb::CheckResult& result) noexcept {
  if (result.outcome != passdb::CheckResult::Outcome::kRefused || account_refused_) return false;
  AccountWait wait = AccountWait::kAsked;
  if (account_wait_.compare_exchange_strong(wait, AccountWait::kReturned)) return true;
  account_wait_.store(AccountWait::kReturned, std::memory_order_release);
  const auto box = weak_from_this().use_count() > 1 ? origin_.mailbox.lock() : nullptr;
  try {
    if (box) box->wake(origin_.key);
  } catch (const std::bad_alloc&) {
    services_.metrics.out_of_memory.add();  // nobody has claimed it: the clock answers
  }
  return true;
}

void Attempt::give_up() noexcept {
  services_.metrics.out_of_memory.add();
  const Now now = services_.time.read();
  try {
    (void)settle(policy::Outcome::kOurTrouble, now);
  } catch (const std::bad_alloc&) {
    // Other hosts learn by their own clocks that it is over.
  }
  if (is_answered_ || !(is_answering_ || claim_answer())) return;
  try {
    if (!is_recorded_) record_once(event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
    deliver(Answer{AnswerKind::kTemporary, question_.username, now.mono});
  } catch (const std::bad_alloc&) {
    is_lost_.store(true, std::memory_order_release);
  }
}

void Attempt::record_once(const Event& event) {
  record(services_, event);
  is_recorded_ = true;
}

struct Attempt::Ending {
  Event written;
  Answer answer;
  policy::Outcome counted = policy::Outcome::kOurTrouble;
  uint64_t journalled = 0;

  [[nodiscard]] AuthEvent& event() { return std::get<AuthEvent>(written); }
  void is(AuthOutcome outcome, std::optional<AuthCause> cause) {
    event().outcome = outcome;
    event().cause = cause;
  }
};

void Attempt::decide(passdb::CheckResult&& result) {
  const Now now = services_.time.read();
  if (!claim_answer()) {
    // The clock has answered for us; what came out late is held against nobody.
    (void)settle(policy::Outcome::kOurTrouble, now);
    return;
  }
  Ending ending{event(AuthOutcome::kTemporary, std::nullopt, now),
                {AnswerKind::kTemporary, {}, now.mono}};
  take_verdict(ending, result);
  AuthEvent& decided = ending.event();
  if (result.spent) {
    decided.credential = result.spent->credential;
    decided.why = to_string(result.spent->why);
  }
  note_would(decided, decision_.would);
  if (ticket_) take_settlement(ending, result, now);
  const bool is_new_guess = !decided.repeat && decided.outcome == AuthOutcome::kFail;
  record_once(ending.written);
  if (ending.answer.kind == AnswerKind::kTemporary) ending.answer.user = question_.username;
  answer_when_durable(std::move(ending.answer), ending.journalled);
  if (result.spent) note_spent(result.account, *result.spent, now);
  // Behind the answer: the check of an old hash must make no wrong password slower. Never on the
  // loop, where no slow hash was found.
  if (is_new_guess && !result.slow.empty()) {
    if (const auto old = settings_->verifier->recognise_later(question_, result)) {
      note_spent(result.account, *old, now);
    }
  }
}

void Attempt::take_verdict(Ending& ending, passdb::CheckResult& result) {
  using Outcome = passdb::CheckResult::Outcome;
  switch (result.outcome) {
    case Outcome::kOk:
      ending.counted = policy::Outcome::kSuccess;
      ending.is(AuthOutcome::kOk, std::nullopt);
      settings_->verifier->note_use(question_, result);
      ending.event().credential = std::move(result.credential);
      ending.answer.kind = AnswerKind::kOk;
      ending.answer.user = std::move(result.account);
      if (result.remembered) services_.metrics.verdicts_remembered.add();
      break;
    case Outcome::kBadCredential:
      ending.counted = policy::Outcome::kBadCredential;
      ending.is(AuthOutcome::kFail, AuthCause::kBadCredential);
      break;
    case Outcome::kUnknownUser:
      ending.counted = policy::Outcome::kUnknownUser;
      ending.is(AuthOutcome::kFail, AuthCause::kUnknownUser);
      break;
    case Outcome::kDisabled:
      ending.counted = policy::Outcome::kBadCredential;
      ending.is(AuthOutcome::kFail, AuthCause::kDisabled);
      break;
    case Outcome::kUnavailable:
      ending.is(AuthOutcome::kTemporary, AuthCause::kPassdbDown);
      break;
    case Outcome::kRefused:
      if (account_refused_->verdict == policy::Verdict::kOverload) {
        ending.is(AuthOutcome::kTemporary, AuthCause::kOverload);
        break;
      }
      ending.event().outcome = AuthOutcome::kRefused;
      ending.answer = refusal(*account_refused_, ending.event());
      ending.journalled = account_refused_->hit->journalled;
      break;
  }
}

void Attempt::take_settlement(Ending& ending, const passdb::CheckResult& result, Now now) {
  AuthEvent& decided = ending.event();
  Answer& answer = ending.answer;
  const policy::Settled settled = settle(
      ending.counted, now, result.spent ? decided.why + '\0' + decided.credential : std::string());
  decided.repeat = settled.repeat;
  if (settled.is_short && ending.counted != policy::Outcome::kOurTrouble) {
    ending.is(AuthOutcome::kTemporary, AuthCause::kOverload);
    answer.kind = AnswerKind::kTemporary;
  }
  if (!decided.would) note_would(decided, settled.would);
  ending.journalled = std::max(ending.journalled, settled.journalled);
  if (decided.outcome == AuthOutcome::kFail) {
    answer = fail_answer(settled.hold, !result.nodelay);
  } else if (decided.outcome == AuthOutcome::kOk) {
    answer.not_before = held(settled.hold);
  }
  const Mono as_if = std::min<Mono>(now.mono + result.as_if, answer_by());
  if (result.as_if.count() > 0) answer.not_before = std::max(answer.not_before, as_if);
  for (const policy::NewLock& lock : settled.locks) {
    services_.metrics.locks_made.add();
    services_.audit.write(LockEvent{
        now.wall, lock.subject, lock.rule, lock.until, static_cast<int>(lock.level), "policy", {}});
  }
}

Answer Attempt::refusal(const policy::Decision& decision, AuthEvent& event) {
  event.cause = cause_of(decision.hit->cause);
  event.rule = decision.hit->rule;
  event.subject = decision.hit->subject;
  Answer answer = fail_answer(decision.hold, true);
  if (decision.answer == policy::Answer::kTemporary) answer.kind = AnswerKind::kTemporary;
  return answer;
}

void Attempt::note_spent(const std::string& account, const passdb::Spent& spent, Now now) {
  if (services_.stale == nullptr) return;
  const bool due = services_.stale->note(account, spent, client_.rip, now.wall);
  if (!due || !spent.is_stale()) return;
  StaleCredentialEvent stale;
  stale.ts = now.wall;
  stale.user = account;
  stale.rip = client_.rip ? client_.rip->to_string() : client_.rip_text;
  stale.mech = client_.mechanism;
  stale.service = client_.service;
  stale.listener = client_.listener;
  stale.credential = spent.credential;
  stale.why = to_string(spent.why);
  stale.since = spent.since;
  services_.audit.write(std::move(stale));
}

void Attempt::on_overload() noexcept {
  guarded([&] {
    const Now now = services_.time.read();
    (void)settle(policy::Outcome::kOurTrouble, now);
    if (!claim_answer()) return;
    record_once(event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
    deliver(Answer{AnswerKind::kTemporary, question_.username, now.mono});
  });
}

std::optional<Answer> Attempt::time_out(Now now) {
  if (claim()) {
    record(services_, event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
    return Answer{AnswerKind::kTemporary, question_.username, now.mono};
  }
  // A disk that hangs is like one that fails: the lock holds in memory, and no mail server waits
  // past its patience.
  if (waits_for_disk_.load(std::memory_order_acquire) && is_undelivered()) {
    return std::move(*undelivered_);
  }
  if (!is_lost_.exchange(false, std::memory_order_acq_rel)) return std::nullopt;
  if (!is_recorded_) record_once(event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
  return Answer{AnswerKind::kTemporary, question_.username, now.mono};
}

void Attempt::answer_when_durable(Answer answer, uint64_t journalled) {
  if (journalled == 0 || services_.durability.is_durable(journalled)) {
    return deliver(std::move(answer));
  }
  undelivered_ = std::make_unique<Answer>(std::move(answer));
  is_answered_ = true;
  waits_for_disk_.store(true, std::memory_order_release);
  services_.durability.when_durable(journalled, [self = shared_from_this()] {
    if (!self->is_undelivered()) return;
    try {
      self->mail(*self->undelivered_);
    } catch (const std::bad_alloc&) {
      self->services_.metrics.out_of_memory.add();
      self->delivered_.store(false);  // for the clock
    }
  });
}

void Attempt::deliver(Answer answer) {
  mail(std::move(answer));
  is_answered_ = true;
}

void Attempt::mail(Answer answer) {
  if (std::this_thread::get_id() == loop_thread_ && is_on_loop_) {
    found_ = std::move(answer);
  } else if (const auto mailbox = origin_.mailbox.lock()) {
    mailbox->deliver(origin_.key, std::move(answer));
  }
}

Event Attempt::event(AuthOutcome outcome, std::optional<AuthCause> cause, Now now) const {
  Event made = event_of(client_, now);
  AuthEvent& event = std::get<AuthEvent>(made);
  event.outcome = outcome;
  event.cause = cause;
  event.user = question_.username;
  event.took = std::chrono::duration_cast<microseconds>(now.mono - arrived_.mono);
  return made;
}

Answer Attempt::fail_answer(milliseconds hold, bool is_delayed) {
  if (is_delayed && !decision_.trusted) {
    hold = std::max(hold, jittered(settings_->failure_delay, services_.random));
  }
  return {AnswerKind::kFail, question_.username, held(hold)};
}

Mono Attempt::held(milliseconds hold) const {
  return arrived_.mono + std::min(hold, settings_->max_hold);
}

Answer refuse_exchange(AttemptServices& services, const Settings& settings,
                       const ClientFacts& client, std::string_view authcid, AuthCause cause,
                       Now now) {
  Event refused = event_of(client, now);
  AuthEvent& event = std::get<AuthEvent>(refused);
  event.outcome = AuthOutcome::kFail;
  event.cause = cause;
  event.user = authcid;
  record(services, refused);
  milliseconds hold{0};
  if (!services.policy.is_trusted(client.rip)) {
    hold = std::min(jittered(settings.failure_delay, services.random), settings.max_hold);
  }
  return {AnswerKind::kFail, std::string(authcid), now.mono + hold};
}

}  // namespace saslatch
