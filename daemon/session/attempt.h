#ifndef SASLATCH_DAEMON_SESSION_ATTEMPT_H_
#define SASLATCH_DAEMON_SESSION_ATTEMPT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "daemon/audit/audit.h"
#include "daemon/metrics/metrics.h"
#include "daemon/passdb/verifier.h"
#include "daemon/policy/engine.h"
#include "daemon/session/check_queue.h"
#include "daemon/session/session.h"
#include "daemon/session/settings.h"
#include "daemon/session/stale_watch.h"
#include "protocol/base/ip_address.h"
#include "protocol/base/random.h"

namespace saslatch {

using Credential = std::variant<passdb::PasswordCredential, passdb::CramMd5Credential>;

// What a client said around its credential.
struct ClientFacts {
  std::string listener;
  std::string mechanism;
  std::string service;
  std::string session;  // the client's own session=
  // Canonical, or as sent where it is no address; the policy goes by `rip` alone.
  std::string rip_text;
  std::optional<IpAddress> rip;
  std::optional<IpAddress> lip;
  Secured secured = Secured::kNo;
};

// A credential to be decided on.
struct AttemptRequest {
  ClientFacts client;
  std::string authcid;  // as sent
  std::string authzid;  // empty: none
  Credential credential;
  // Only the account's own main password will do (CheckRequest::main_password_only).
  bool main_password_only = false;
};

// Tells when a change of the policy's state is safe from kill -9. Thread-safe.
class Durability {
 public:
  virtual ~Durability() = default;
  // Whether everything up to `number` is on disk, or could not be written and is reported: a
  // journal in trouble never stops a login. Cheap; asked for most attempts.
  [[nodiscard]] virtual bool is_durable(uint64_t number) const = 0;
  // Calls `then` once, when that is so. Perhaps before it returns.
  virtual void when_durable(uint64_t number, std::function<void()> then) = 0;
};

// What attempts work with. All of it outlives every attempt.
struct AttemptServices {
  policy::Engine& policy;
  Workers& lookups;  // wait for passdbs; never for a slow hash
  Workers& workers;  // hash
  AuditSink& audit;
  Metrics& metrics;
  Random& random;
  const TimeSource& time;
  Durability& durability;
  StaleWatch* stale = nullptr;         // null: nobody watches
  policy::Sharing* sharing = nullptr;  // null: this host counts for itself
};

// One attempt from its credential to its answer: normalises the name, asks the policy, has the
// credential checked (at once where that is cheap, else on a worker), settles with the policy,
// writes the audit event, and tells the session.
//
// The session begins it on its event loop and may forget it at any time: once the policy has
// counted the attempt, it is decided, settled and written down all the same.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  // Of a session: where the answer goes, and whose share of the check queue is used.
  struct Origin {
    std::weak_ptr<Mailbox> mailbox;
    uint64_t key = 0;
    uint32_t connection = 0;
  };

  Attempt(AttemptServices& services, std::shared_ptr<const Settings> settings, Origin origin,
          Now arrived);

  // Begins. The answer if there is one already; nullopt: it will be delivered to the mailbox.
  // Called once, on the session's event loop.
  [[nodiscard]] std::optional<Answer> begin(AttemptRequest&& request);

  // After Mailbox::wake(): what begin() does, on the same loop.
  [[nodiscard]] std::optional<Answer> retry(Now now);

  // When the client must have its answer, whatever became of the check.
  [[nodiscard]] Mono answer_by() const { return arrived_.mono + settings_->max_hold; }

  // Called at answer_by(): the temporary answer, or the decided one that waits for a disk; nullopt
  // when another one is on its way.
  [[nodiscard]] std::optional<Answer> time_out(Now now);

 private:
  class Job;
  class DeviceJob;

  [[nodiscard]] std::optional<Answer> reserve(Now now);
  // Wakes the session when others have settled.
  [[nodiscard]] policy::Waiter waiter() const;
  // What the policy has decided, here or together with other hosts: decision_.
  [[nodiscard]] std::optional<Answer> go_on(Now now);
  // Asks the hosts that count with us; false: there is nobody to ask, or nothing.
  bool ask_others(bool account);
  void on_others(policy::SharedReply reply);
  [[nodiscard]] std::optional<Answer> join(bool account, Now now);
  // Answers that the policy refuses the attempt: decision_.
  [[nodiscard]] std::optional<Answer> refuse(Now now);
  // Whether the rule that strikes might spare the attempt if its credential is the code of a known
  // device, which only a look-up can tell.
  [[nodiscard]] bool may_be_spared_device() const;
  void find_device();
  void on_device(std::optional<Wall> used) noexcept;
  [[nodiscard]] std::optional<Answer> check();
  [[nodiscard]] bool admit_account(const std::string& account);
  void tell_others(policy::SharedSettlement settlement);
  policy::Settled settle(policy::Outcome outcome, Now now, std::string_view recognised = {});
  void run_check();
  void on_checked(passdb::CheckResult&& result) noexcept;
  // Whether the check has ended only because the account's policy has to wait: retry() goes on.
  [[nodiscard]] bool is_put_off(const passdb::CheckResult& result) noexcept;
  struct Ending;
  void decide(passdb::CheckResult&& result);
  void take_verdict(Ending& ending, passdb::CheckResult& result);
  void take_settlement(Ending& ending, const passdb::CheckResult& result, Now now);
  // The answer to who is refused; says in `event` by what.
  [[nodiscard]] Answer refusal(const policy::Decision& decision, AuthEvent& event);
  // Tells whom it concerns that a known credential is still tried.
  void note_spent(const std::string& account, const passdb::Spent& spent, Now now);
  void on_overload() noexcept;
  // Runs what ends the attempt, on the thread that does. Where memory ends in it, the answer is a
  // temporary one, by the clock where not even that can be mailed.
  template <typename Work>
  void guarded(const Work& work) noexcept {
    try {
      work();
    } catch (const std::bad_alloc&) {
      give_up();
    }
  }
  void give_up() noexcept;
  // Delivers once the lock or network that the answer tells of is safe from kill -9.
  void answer_when_durable(Answer answer, uint64_t journalled);

  [[nodiscard]] bool is_undelivered() { return !delivered_.exchange(true); }
  [[nodiscard]] bool claim() { return !claimed_.exchange(true, std::memory_order_acq_rel); }
  // The same, for whoever goes on to answer.
  [[nodiscard]] bool claim_answer() { return is_answering_ = claim(); }
  void record_once(const Event& event);
  [[nodiscard]] Event event(AuthOutcome outcome, std::optional<AuthCause> cause, Now now) const;
  [[nodiscard]] Answer fail_answer(std::chrono::milliseconds hold, bool is_delayed);
  [[nodiscard]] Mono held(std::chrono::milliseconds hold) const;
  void deliver(Answer answer);
  void mail(Answer answer);

  AttemptServices& services_;
  std::shared_ptr<const Settings> settings_;
  Origin origin_;
  ClientFacts client_;
  Now arrived_;
  passdb::CheckRequest question_;  // its username is the normalised one
  policy::Ticket ticket_;
  policy::Decision decision_;  // of reserve(); its ticket is in ticket_
  std::string account_;        // admitted besides the username
  std::unique_ptr<const policy::Decision> account_refused_;
  // Between the look-up that has found another account and the policy that has to wait for room:
  // the look-up ends on one thread, the wait on another.
  enum class AccountWait : uint8_t { kNone, kAsked, kReturned, kWoken };
  std::atomic<AccountWait> account_wait_{AccountWait::kNone};
  // What other hosts say: set before others_ becomes kAnswered.
  enum class Others : uint8_t { kNotAsked, kAsked, kAnswered };
  std::atomic<Others> others_{Others::kNotAsked};
  std::unique_ptr<policy::SharedReply> reply_;
  std::string asked_account_;  // admitted if they say so
  bool device_asked_ = false;
  Wall device_used_{};  // as AttemptFacts has it; the epoch: never
  // Who answers: the check, or the clock at answer_by().
  std::atomic<bool> claimed_{false};
  // These three are of the thread that has claimed, and then of who sees `is_lost_`.
  bool is_answering_ = false;
  bool is_recorded_ = false;
  bool is_answered_ = false;  // mailed, or waiting for a disk
  // There was no memory to mail an answer: the clock gives one after all.
  std::atomic<bool> is_lost_{false};
  // An answer that waits for a disk: set before `waits_for_disk_`, then of whoever delivers it.
  std::unique_ptr<Answer> undelivered_;
  std::atomic<bool> waits_for_disk_{false};
  std::atomic<bool> delivered_{false};
  // Set while begin() or retry() runs, read on its thread only: an answer found meanwhile is
  // returned rather than mailed.
  std::thread::id loop_thread_;
  bool is_on_loop_ = false;
  std::optional<Answer> found_;
};

// The answer to an exchange that ended before there was a credential: an unknown mechanism, TLS
// missing, a message that breaks its syntax. Counted nowhere, written down, held like a failure.
Answer refuse_exchange(AttemptServices& services, const Settings& settings,
                       const ClientFacts& client, std::string_view authcid, AuthCause cause,
                       Now now);

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_ATTEMPT_H_
