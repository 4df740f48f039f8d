#include "daemon/session/attempt.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace saslatch {
namespace {

// To the policy's clock, which may stand apart from the calendar's by what that was set meanwhile.
Wall as_policy_time(std::chrono::system_clock::time_point at, Now now) {
  return std::chrono::floor<std::chrono::microseconds>(at) + (now.policy - now.wall);
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
      if (!claim_answer()) return std::nullopt;
      record_once(event(AuthOutcome::kTemporary, AuthCause::kOverload, now));
      return Answer{AnswerKind::kTemporary, question_.username, now.mono};
  }
  device_asked_ = true;
  ticket_ = {};
  services_.lookups.submit(std::make_unique<DeviceJob>(shared_from_this()));
  return std::nullopt;  // what comes of it comes by mail
}

std::optional<Answer> Attempt::refuse(Now now) {
  if (!claim_answer()) return std::nullopt;
  Event written = event(AuthOutcome::kRefused, std::nullopt, now);
  Answer answer = refusal(decision_, std::get<AuthEvent>(written));
  record_once(written);
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

}  // namespace saslatch
