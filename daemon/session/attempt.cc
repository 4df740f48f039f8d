#include "daemon/session/attempt.h"

#include <algorithm>
#include <cctype>
#include <new>
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

// To the policy's clock, which may stand apart from the calendar's by what that was set meanwhile.
Wall as_policy_time(std::chrono::system_clock::time_point at, Now now) {
  return std::chrono::floor<microseconds>(at) + (now.policy - now.wall);
}

void record(AttemptServices& services, const Event& event) {
  services.metrics.count(std::get<AuthEvent>(event));
  services.audit.write(event);
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

// The look for a known device, on its way through the queue.
class Attempt::DeviceJob final : public QueuedCheck {
 public:
  explicit DeviceJob(std::shared_ptr<Attempt> attempt)
      : QueuedCheck(false, attempt->origin_.connection, attempt->answer_by()),
        attempt_(std::move(attempt)) {}
  void run() override { attempt_->find_device(); }
  void overload() override { attempt_->on_device(std::nullopt); }

 private:
  std::shared_ptr<Attempt> attempt_;
};

Attempt::Attempt(AttemptServices& services, std::shared_ptr<const Settings> settings, Origin origin,
                 Now arrived)
    : services_(services),
      settings_(std::move(settings)),
      origin_(std::move(origin)),
      arrived_(arrived),
      loop_thread_(std::this_thread::get_id()) {}

std::optional<Answer> Attempt::begin(AttemptRequest&& request) {
  client_ = std::move(request.client);
  std::optional<std::string> username = normalise_username(request.authcid, settings_->usernames);
  if (!username) {
    return refuse_exchange(services_, *settings_, client_, request.authcid, AuthCause::kMalformed,
                           arrived_);
  }
  question_.username = *std::move(username);
  // Nobody here may act for another. Asked for another's name the password is not even looked at,
  // so the answer tells nothing of it.
  if (!request.authzid.empty() &&
      normalise_username(request.authzid, settings_->usernames) != question_.username) {
    return refuse_exchange(services_, *settings_, client_, question_.username,
                           AuthCause::kBadCredential, arrived_);
  }
  question_.rip = client_.rip;
  question_.lip = client_.lip;
  question_.service = client_.service;
  question_.credential = std::move(request.credential);
  question_.now = arrived_.mono;
  question_.wall = arrived_.wall;
  question_.deadline = answer_by();
  question_.main_password_only = request.main_password_only;
  question_.admit_account = [this](const std::string& account) { return admit_account(account); };
  return reserve(arrived_);
}

std::optional<Answer> Attempt::retry(Now now) {
  AccountWait wait = AccountWait::kAsked;
  const bool is_looking = account_wait_.compare_exchange_strong(wait, AccountWait::kWoken);
  if (is_looking || wait == AccountWait::kWoken) {
    return std::nullopt;  // the look-up has not come back yet; it calls again
  }
  if (others_.load(std::memory_order_acquire) == Others::kAsked) return std::nullopt;
  const bool for_account = wait == AccountWait::kReturned;
  if (for_account) account_wait_.store(AccountWait::kNone, std::memory_order_release);
  if (others_.load(std::memory_order_acquire) == Others::kAnswered) return join(for_account, now);
  if (claimed_.load(std::memory_order_acquire)) return std::nullopt;
  return for_account ? check() : reserve(now);
}

bool Attempt::ask_others(bool account) {
  policy::Sharing* const sharing = services_.sharing;
  if (sharing == nullptr) return false;
  policy::SharedRequest request = services_.policy.shared_request(ticket_, account);
  if (request.holds.empty()) return false;
  if (!sharing->is_usable()) {
    services_.metrics.shared_unanswered.add();
    return false;
  }
  others_.store(Others::kAsked, std::memory_order_release);
  const auto patience =
      std::chrono::duration_cast<policy::Duration>(answer_by() - services_.time.read().mono);
  sharing->reserve(std::move(request), patience,
                   [self = shared_from_this()](policy::SharedReply reply) {
                     self->on_others(std::move(reply));
                   });
  return true;
}

// On the thread that brings the answer; the session's goes on. Unless it has forgotten the attempt:
// that is counted, so it is decided all the same.
void Attempt::on_others(policy::SharedReply reply) {
  reply_ = std::make_unique<policy::SharedReply>(std::move(reply));
  others_.store(Others::kAnswered, std::memory_order_release);
  const auto box = weak_from_this().use_count() > 1 ? origin_.mailbox.lock() : nullptr;
  if (box) return box->wake(origin_.key);
  (void)retry(services_.time.read());
}

std::optional<Answer> Attempt::join(bool account, Now now) {
  others_.store(Others::kNotAsked, std::memory_order_release);
  decision_ = services_.policy.join(ticket_, *reply_, account, now.policy);
  if (claimed_.load(std::memory_order_acquire)) {
    tell_others(std::move(decision_.shared));
    if (ticket_) (void)settle(policy::Outcome::kOurTrouble, now);
    return std::nullopt;
  }
  if (decision_.verdict == policy::Verdict::kAllow && account) account_ = asked_account_;
  return go_on(now);
}

void Attempt::tell_others(policy::SharedSettlement settlement) {
  if (services_.sharing != nullptr && !settlement.empty())
    services_.sharing->settle(std::move(settlement));
}

policy::Settled Attempt::settle(policy::Outcome outcome, Now now, std::string_view recognised) {
  policy::Settled settled =
      services_.policy.settle(std::move(ticket_), outcome, now.policy, recognised);
  tell_others(std::move(settled.shared));
  return settled;
}

std::optional<Answer> Attempt::reserve(Now now) {
  const auto* const password = std::get_if<passdb::PasswordCredential>(&question_.credential);
  const policy::AttemptFacts facts{
      question_.username, client_.rip,
      password != nullptr ? std::optional(password->password.reveal()) : std::nullopt,
      device_used_ != Wall{} ? std::optional(device_used_) : std::nullopt};
  decision_ = services_.policy.reserve(facts, now.policy, [this] { return waiter(); });
  if (decision_.verdict == policy::Verdict::kAllow) {
    ticket_ = std::move(decision_.ticket);
    const bool is_device_first = decision_.would && may_be_spared_device();
    if (!is_device_first && ask_others(false)) return std::nullopt;
  }
  return go_on(now);
}

policy::Waiter Attempt::waiter() const {
  return [mailbox = origin_.mailbox, key = origin_.key] {
    if (const auto box = mailbox.lock()) box->wake(key);
  };
}

std::optional<Answer> Attempt::go_on(Now now) {
  tell_others(std::move(decision_.shared));
  switch (decision_.verdict) {
    case policy::Verdict::kAllow:
      if (decision_.would && may_be_spared_device()) break;  // it would not have been refused
      return check();
    case policy::Verdict::kWait:
      return std::nullopt;
    case policy::Verdict::kRefuse:
      if (may_be_spared_device()) break;
      return refuse(now);
    case policy::Verdict::kOverload:
      if (!claim()) return std::nullopt;
      record(services_, event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
      return Answer{AnswerKind::kTemporary, question_.username, now.mono};
  }
  device_asked_ = true;
  ticket_ = {};
  services_.lookups.submit(std::make_unique<DeviceJob>(shared_from_this()));
  return std::nullopt;  // what comes of it comes by mail
}

std::optional<Answer> Attempt::refuse(Now now) {
  if (!claim_answer()) return std::nullopt;
  Event written = event(AuthOutcome::kRefused, cause_of(decision_.hit->cause), now);
  AuthEvent& refused = std::get<AuthEvent>(written);
  refused.rule = decision_.hit->rule;
  refused.subject = decision_.hit->subject;
  record_once(written);
  Answer answer = fail_answer(decision_.hold, true);
  if (decision_.answer == policy::Answer::kTemporary) answer.kind = AnswerKind::kTemporary;
  const bool on_loop = std::this_thread::get_id() == loop_thread_;
  if (on_loop) {
    is_on_loop_ = true;
    found_.reset();
  }
  answer_when_durable(std::move(answer), decision_.hit->journalled);
  if (!on_loop) return std::nullopt;
  is_on_loop_ = false;
  return std::exchange(found_, std::nullopt);
}

bool Attempt::may_be_spared_device() const {
  if (device_asked_) return false;
  const auto& hit = decision_.hit ? decision_.hit : decision_.would;
  if (!hit || hit->rule == policy::kAdministrator) return false;
  if (!settings_->verifier->may_be_code(question_)) return false;
  const auto settings = services_.policy.settings();
  return std::any_of(settings->rules.begin(), settings->rules.end(), [&](const auto& rule) {
    return rule.name == hit->rule && rule.spare_familiar;
  });
}

void Attempt::find_device() {
  settings_->verifier->find_device(
      question_,
      [self = shared_from_this()](std::optional<std::chrono::system_clock::time_point> used) {
        const Now now = self->services_.time.read();
        self->on_device(used ? std::optional(as_policy_time(*used, now)) : std::nullopt);
      });
}

// On whatever thread; the policy is asked again on the session's.
void Attempt::on_device(std::optional<Wall> used) noexcept {
  guarded([&] {
    if (!used && decision_.verdict == policy::Verdict::kRefuse) {
      const Now now = services_.time.read();
      if (auto answer = refuse(now)) deliver(*std::move(answer));
      return;
    }
    device_used_ = used.value_or(Wall{});
    if (const auto box = origin_.mailbox.lock()) box->wake(origin_.key);
  });
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
  account_wait_.store(AccountWait::kAsked, std::memory_order_release);
  policy::Decision decision = services_.policy.admit_account(
      ticket_, account, services_.time.read().policy, [this] { return waiter(); });
  switch (decision.verdict) {
    case policy::Verdict::kAllow:
      asked_account_ = account;
      if (ask_others(true)) return false;
      account_ = account;
      account_wait_.store(AccountWait::kNone, std::memory_order_release);
      return true;
    case policy::Verdict::kWait:
      return false;
    case policy::Verdict::kRefuse:
    case policy::Verdict::kOverload:
      break;
  }
  account_wait_.store(AccountWait::kNone, std::memory_order_release);
  tell_others(std::move(decision.shared));
  account_refused_ = std::make_unique<const policy::Decision>(std::move(decision));
  return false;
}

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

template <typename Work>
void Attempt::guarded(const Work& work) noexcept {
  try {
    work();
  } catch (const std::bad_alloc&) {
    give_up();
  }
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

void Attempt::decide(passdb::CheckResult&& result) {
  using Outcome = passdb::CheckResult::Outcome;
  const Now now = services_.time.read();
  if (!claim_answer()) {
    // The clock has answered for us; what came out late is held against nobody.
    (void)settle(policy::Outcome::kOurTrouble, now);
    return;
  }
  policy::Outcome counted = policy::Outcome::kOurTrouble;
  uint64_t journalled = 0;
  Event written = event(AuthOutcome::kTemporary, std::nullopt, now);
  AuthEvent& decided = std::get<AuthEvent>(written);
  const auto is = [&decided](AuthOutcome outcome, std::optional<AuthCause> cause) {
    decided.outcome = outcome;
    decided.cause = cause;
  };
  Answer answer{AnswerKind::kTemporary, {}, now.mono};
  switch (result.outcome) {
    case Outcome::kOk:
      counted = policy::Outcome::kSuccess;
      is(AuthOutcome::kOk, std::nullopt);
      settings_->verifier->note_use(question_, result);
      decided.credential = std::move(result.credential);
      answer.kind = AnswerKind::kOk;
      answer.user = std::move(result.account);
      if (result.remembered) services_.metrics.verdicts_remembered.add();
      break;
    case Outcome::kBadCredential:
      counted = policy::Outcome::kBadCredential;
      is(AuthOutcome::kFail, AuthCause::kBadCredential);
      break;
    case Outcome::kUnknownUser:
      counted = policy::Outcome::kUnknownUser;
      is(AuthOutcome::kFail, AuthCause::kUnknownUser);
      break;
    case Outcome::kDisabled:
      counted = policy::Outcome::kBadCredential;
      is(AuthOutcome::kFail, AuthCause::kDisabled);
      break;
    case Outcome::kUnavailable:
      is(AuthOutcome::kTemporary, AuthCause::kPassdbDown);
      break;
    case Outcome::kRefused: {
      const policy::Decision& refusal = *account_refused_;
      if (refusal.verdict == policy::Verdict::kOverload) {
        is(AuthOutcome::kTemporary, AuthCause::kOverload);
        break;
      }
      is(AuthOutcome::kRefused, cause_of(refusal.hit->cause));
      decided.rule = refusal.hit->rule;
      decided.subject = refusal.hit->subject;
      answer = fail_answer(refusal.hold, true);
      if (refusal.answer == policy::Answer::kTemporary) answer.kind = AnswerKind::kTemporary;
      journalled = refusal.hit->journalled;
      break;
    }
  }
  if (result.spent) {
    decided.credential = result.spent->credential;
    decided.why = to_string(result.spent->why);
  }
  note_would(decided, decision_.would);
  if (ticket_) {
    const policy::Settled settled = settle(
        counted, now, result.spent ? decided.why + '\0' + decided.credential : std::string());
    decided.repeat = settled.repeat;
    if (settled.is_short && counted != policy::Outcome::kOurTrouble) {
      is(AuthOutcome::kTemporary, AuthCause::kOverload);
      answer.kind = AnswerKind::kTemporary;
    }
    if (!decided.would) note_would(decided, settled.would);
    journalled = std::max(journalled, settled.journalled);
    if (decided.outcome == AuthOutcome::kFail) {
      answer = fail_answer(settled.hold, !result.nodelay);
    } else if (decided.outcome == AuthOutcome::kOk) {
      answer.not_before = held(settled.hold);
    }
    const Mono as_if = std::min<Mono>(now.mono + result.as_if, answer_by());
    if (result.as_if.count() > 0) answer.not_before = std::max(answer.not_before, as_if);
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
  const bool is_new_guess = !decided.repeat && decided.outcome == AuthOutcome::kFail;
  record_once(written);
  if (answer.kind == AnswerKind::kTemporary) answer.user = question_.username;
  answer_when_durable(std::move(answer), journalled);
  if (result.spent) note_spent(result.account, *result.spent, now);
  // Behind the answer: the check of an old hash must make no wrong password slower. Never on the
  // loop, where no slow hash was found.
  if (is_new_guess && !result.slow.empty()) {
    if (const auto old = settings_->verifier->recognise_later(question_, result)) {
      note_spent(result.account, *old, now);
    }
  }
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
