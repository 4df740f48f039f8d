#include "daemon/session/attempt.h"

#include <algorithm>
#include <cctype>
#include <utility>

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

AuthEvent event_of(const ClientFacts& client, Now now) {
  AuthEvent event;
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
  return event;
}

void record(AttemptServices& services, AuthEvent event) {
  services.metrics.count(event);
  services.audit.write(std::move(event));
}

}  // namespace

// A check on its way through the queue.
class Attempt::Job final : public QueuedCheck {
 public:
  Job(std::shared_ptr<Attempt> attempt, bool familiar, std::function<void()> run)
      : QueuedCheck(familiar, attempt->origin_.connection, attempt->answer_by()),
        attempt_(std::move(attempt)),
        run_(std::move(run)) {}
  void run() override { run_(); }
  void overload() override { attempt_->on_overload(); }

 private:
  std::shared_ptr<Attempt> attempt_;
  std::function<void()> run_;
};

Attempt::Attempt(AttemptServices& services, std::shared_ptr<const Settings> settings, Origin origin,
                 AttemptRequest request, Now arrived)
    : services_(services),
      settings_(std::move(settings)),
      origin_(std::move(origin)),
      client_(std::move(request.client)),
      authcid_(std::move(request.authcid)),
      authzid_(std::move(request.authzid)),
      arrived_(arrived),
      loop_thread_(std::this_thread::get_id()) {
  question_.rip = client_.rip;
  question_.lip = client_.lip;
  question_.service = client_.service;
  question_.credential = std::move(request.credential);
  question_.now = arrived.mono;
  question_.admit_account = [this](const std::string& account) { return admit_account(account); };
}

std::optional<Answer> Attempt::begin() {
  const std::optional<std::string> username = normalise_username(authcid_, settings_->usernames);
  if (!username) {
    return refuse_exchange(services_, *settings_, client_, authcid_, AuthCause::kMalformed,
                           arrived_);
  }
  question_.username = *username;
  // Nobody here may act for another. Asked for another's name the password is not even looked at,
  // so the answer tells nothing of it.
  if (!authzid_.empty() &&
      normalise_username(authzid_, settings_->usernames) != question_.username) {
    return refuse_exchange(services_, *settings_, client_, question_.username,
                           AuthCause::kBadCredential, arrived_);
  }
  return reserve(arrived_);
}

std::optional<Answer> Attempt::retry(Now now) {
  if (claimed_.load(std::memory_order_acquire)) return std::nullopt;
  if (!waits_for_account_) return reserve(now);
  waits_for_account_ = false;
  return check();
}

std::optional<Answer> Attempt::reserve(Now now) {
  const auto* const password = std::get_if<passdb::PasswordCredential>(&question_.credential);
  const policy::AttemptFacts facts{
      question_.username, client_.rip,
      password != nullptr ? std::optional(password->password.reveal()) : std::nullopt};
  const policy::Waiter waiter = [mailbox = origin_.mailbox, key = origin_.key] {
    if (const auto box = mailbox.lock()) box->wake(key);
  };
  decision_ = services_.policy.reserve(facts, now.policy, waiter);
  switch (decision_.verdict) {
    case policy::Verdict::kAllow:
      ticket_ = std::move(decision_.ticket);
      return check();
    case policy::Verdict::kWait:
      return std::nullopt;
    case policy::Verdict::kRefuse: {
      if (!claim()) return std::nullopt;
      AuthEvent refused = event(AuthOutcome::kRefused, cause_of(decision_.hit->cause), now);
      refused.rule = decision_.hit->rule;
      refused.subject = decision_.hit->subject;
      record(services_, std::move(refused));
      Answer answer = fail_answer(decision_.hold, true);
      if (decision_.answer == policy::Answer::kTemporary) answer.kind = AnswerKind::kTemporary;
      is_on_loop_ = true;
      found_.reset();
      answer_when_durable(std::move(answer), decision_.hit->journalled);
      is_on_loop_ = false;
      return std::move(found_);
    }
    case policy::Verdict::kOverload:
      break;
  }
  if (!claim()) return std::nullopt;
  record(services_, event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
  return Answer{AnswerKind::kTemporary, question_.username, now.mono};
}

std::optional<Answer> Attempt::check() {
  is_on_loop_ = true;
  found_.reset();
  if (auto result = settings_->verifier->check_inline(question_)) {
    on_checked(*std::move(result));
  } else {
    services_.lookups.submit(
        std::make_unique<Job>(shared_from_this(), decision_.familiar, [this] { run_check(); }));
  }
  is_on_loop_ = false;
  return std::move(found_);
}

void Attempt::run_check() {
  settings_->verifier->check(
      question_,
      [self = shared_from_this()](passdb::CheckResult result) {
        self->on_checked(std::move(result));
      },
      [self = shared_from_this()](std::function<void()> hash) {
        self->services_.workers.submit(
            std::make_unique<Job>(self, self->decision_.familiar, std::move(hash)));
      });
}

bool Attempt::admit_account(const std::string& account) {
  if (account == question_.username || account == account_) return true;
  const policy::Waiter waiter = [mailbox = origin_.mailbox, key = origin_.key] {
    if (const auto box = mailbox.lock()) box->wake(key);
  };
  policy::Decision decision =
      services_.policy.admit_account(ticket_, account, services_.time.read().policy, waiter);
  switch (decision.verdict) {
    case policy::Verdict::kAllow:
      account_ = account;
      return true;
    case policy::Verdict::kWait:
      waits_for_account_ = true;
      return false;
    case policy::Verdict::kRefuse:
    case policy::Verdict::kOverload:
      break;
  }
  account_refused_ = std::make_unique<const policy::Decision>(std::move(decision));
  return false;
}

void Attempt::on_checked(passdb::CheckResult result) {
  using Outcome = passdb::CheckResult::Outcome;
  if (result.outcome == Outcome::kRefused && waits_for_account_) return;  // until retry()

  const Now now = services_.time.read();
  if (!claim()) {
    // The clock has answered for us; what came out late is held against nobody.
    services_.policy.settle(std::move(ticket_), policy::Outcome::kOurTrouble, now.policy);
    return;
  }
  policy::Outcome counted = policy::Outcome::kOurTrouble;
  uint64_t journalled = 0;
  AuthEvent decided;
  Answer answer{AnswerKind::kTemporary, {}, now.mono};
  switch (result.outcome) {
    case Outcome::kOk:
      counted = policy::Outcome::kSuccess;
      decided = event(AuthOutcome::kOk, std::nullopt, now);
      decided.credential = std::move(result.credential);
      answer.kind = AnswerKind::kOk;
      answer.user = std::move(result.account);
      if (result.remembered) services_.metrics.verdicts_remembered.add();
      break;
    case Outcome::kBadCredential:
      counted = policy::Outcome::kBadCredential;
      decided = event(AuthOutcome::kFail, AuthCause::kBadCredential, now);
      break;
    case Outcome::kUnknownUser:
      counted = policy::Outcome::kUnknownUser;
      decided = event(AuthOutcome::kFail, AuthCause::kUnknownUser, now);
      break;
    case Outcome::kDisabled:
      counted = policy::Outcome::kBadCredential;
      decided = event(AuthOutcome::kFail, AuthCause::kDisabled, now);
      break;
    case Outcome::kUnavailable:
      decided = event(AuthOutcome::kTemporary, AuthCause::kPassdbDown, now);
      break;
    case Outcome::kRefused: {
      const policy::Decision& refusal = *account_refused_;
      if (refusal.verdict == policy::Verdict::kOverload) {
        decided = event(AuthOutcome::kTemporary, AuthCause::kOverload, now);
        break;
      }
      decided = event(AuthOutcome::kRefused, cause_of(refusal.hit->cause), now);
      decided.rule = refusal.hit->rule;
      decided.subject = refusal.hit->subject;
      answer = fail_answer(refusal.hold, true);
      if (refusal.answer == policy::Answer::kTemporary) answer.kind = AnswerKind::kTemporary;
      journalled = refusal.hit->journalled;
      break;
    }
  }
  note_would(decided, decision_.would);
  if (ticket_) {
    const policy::Settled settled =
        services_.policy.settle(std::move(ticket_), counted, now.policy);
    decided.repeat = settled.repeat;
    if (!decided.would) note_would(decided, settled.would);
    journalled = std::max(journalled, settled.journalled);
    if (decided.outcome == AuthOutcome::kFail) {
      answer = fail_answer(settled.hold, !result.nodelay);
    } else if (decided.outcome == AuthOutcome::kOk) {
      answer.not_before = held(settled.hold);
    }
    for (const policy::NewLock& lock : settled.locks) {
      services_.metrics.locks_made.add();
      services_.audit.write(LockEvent{now.wall,
                                      lock.subject,
                                      lock.rule,
                                      lock.until,
                                      static_cast<int>(lock.level),
                                      "policy",
                                      {}});
    }
  }
  record(services_, std::move(decided));
  if (answer.kind == AnswerKind::kTemporary) answer.user = question_.username;
  answer_when_durable(std::move(answer), journalled);
}

void Attempt::on_overload() {
  const Now now = services_.time.read();
  services_.policy.settle(std::move(ticket_), policy::Outcome::kOurTrouble, now.policy);
  if (!claim()) return;
  record(services_, event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
  deliver(Answer{AnswerKind::kTemporary, question_.username, now.mono});
}

std::optional<Answer> Attempt::time_out(Now now) {
  if (claim()) {
    record(services_, event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
    return Answer{AnswerKind::kTemporary, question_.username, now.mono};
  }
  // A disk that hangs is like one that fails: the lock holds in memory, and no mail server waits
  // past its patience.
  if (waits_for_disk_.load(std::memory_order_acquire) && is_undelivered()) {
    return std::move(undelivered_);
  }
  return std::nullopt;
}

void Attempt::answer_when_durable(Answer answer, uint64_t journalled) {
  if (journalled == 0 || services_.durability.is_durable(journalled)) {
    return deliver(std::move(answer));
  }
  undelivered_ = std::move(answer);
  waits_for_disk_.store(true, std::memory_order_release);
  services_.durability.when_durable(journalled, [self = shared_from_this()] {
    if (self->is_undelivered()) self->deliver(std::move(self->undelivered_));
  });
}

void Attempt::deliver(Answer answer) {
  if (std::this_thread::get_id() == loop_thread_ && is_on_loop_) {
    found_ = std::move(answer);
  } else if (const auto mailbox = origin_.mailbox.lock()) {
    mailbox->deliver(origin_.key, std::move(answer));
  }
}

AuthEvent Attempt::event(AuthOutcome outcome, std::optional<AuthCause> cause, Now now) const {
  AuthEvent event = event_of(client_, now);
  event.outcome = outcome;
  event.cause = cause;
  event.user = question_.username;
  event.took = std::chrono::duration_cast<microseconds>(now.mono - arrived_.mono);
  return event;
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
  AuthEvent event = event_of(client, now);
  event.outcome = AuthOutcome::kFail;
  event.cause = cause;
  event.user = authcid;
  record(services, std::move(event));
  milliseconds hold{0};
  if (!services.policy.is_trusted(client.rip)) {
    hold = std::min(jittered(settings.failure_delay, services.random), settings.max_hold);
  }
  return {AnswerKind::kFail, std::string(authcid), now.mono + hold};
}

}  // namespace saslatch
