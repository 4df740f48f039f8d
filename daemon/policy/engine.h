#ifndef SASLATCH_DAEMON_POLICY_ENGINE_H_
#define SASLATCH_DAEMON_POLICY_ENGINE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/policy/journal.h"
#include "daemon/policy/rule.h"
#include "daemon/policy/settings.h"
#include "daemon/policy/shared.h"
#include "daemon/policy/subject.h"
#include "protocol/base/ip_address.h"
#include "protocol/base/random.h"

namespace saslatch::policy {

class Engine;

// One attempt, when its credential has arrived. Borrowed for the call.
struct AttemptFacts {
  std::string_view user;         // normalised by [usernames]; empty: none
  std::optional<IpAddress> rip;  // absent (none sent, or no address): the shared source `unknown`
  // Absent where the mechanism does not show it (CRAM-MD5). Only a keyed fingerprint is kept.
  std::optional<std::string_view> password;
  // The credential is an authorization code that was used before, the last time then: a device that
  // was here before, whatever its network is now. Rules that spare the familiar spare it, as long
  // after that as `familiar-for` says.
  std::optional<Time> device_used = {};
};

// Called once, when it is worth to call reserve() again, from any thread that calls the engine and
// with none of its locks held: it does no more than post. It may come after the attempt is over.
using Waiter = std::function<void()>;
// Makes one; asked with kWait only, which is rare. Empty: nobody is to be woken.
using WaiterSource = std::function<Waiter()>;

enum class Verdict {
  kAllow,     // verify, then settle()
  kRefuse,    // do not verify; answer as `answer` says, no settle()
  kWait,      // only attempts still being verified stand in the way: reserve() again when woken.
              // Nothing is held meanwhile. If max-hold runs out first: answer as kOverload.
  kOverload,  // too many wait already: answer a temporary failure, cause `overload`
};

enum class Cause { kLocked, kRate, kDelay };  // `locked`, `rate`, `delay` in audit events
std::string_view to_string(Cause cause);

// The `rule` of an administrator's lock; no rule may have this name.
constexpr std::string_view kAdministrator = "administrator";

// What struck, for the audit event.
struct Hit {
  Cause cause = Cause::kLocked;
  std::string rule;
  std::string subject;
  Time until;  // when it ends if nothing else happens
  // Of a lock: answer only after the Journal has this number on disk. 0: there is nothing to wait
  // for.
  uint64_t journalled = 0;
};

// The reservation of one allowed attempt. Given back when destroyed unsettled, as our own trouble:
// so keep it until the check is done, even if the client has cancelled or gone. Moves between
// threads, used by one at a time. The Engine outlives it.
class Ticket {
 public:
  Ticket() noexcept;
  ~Ticket();
  Ticket(Ticket&& other) noexcept;
  Ticket& operator=(Ticket&& other) noexcept;

  [[nodiscard]] explicit operator bool() const { return body_ != nullptr; }

 private:
  friend class Engine;
  struct Body;
  std::unique_ptr<Body> body_;
};

struct Decision {
  Verdict verdict = Verdict::kAllow;
  Ticket ticket;                  // with kAllow, and only then
  bool familiar = false;          // the (user, network) pair: goes first in the queue of checks
  bool trusted = false;           // no failure-delay
  std::optional<Hit> hit;         // with kRefuse: its cause is kLocked or kRate
  Answer answer = Answer::kFail;  // with kRefuse
  Duration hold{};                // with kRefuse: a delay rule wants the answer held this long
  std::optional<Hit> would;       // observe: what enforce would have done; the verdict is kAllow
  SharedSettlement shared;        // with kRefuse: what other hosts must be told, if anything
};

enum class Outcome {
  kSuccess,
  kBadCredential,  // also disabled accounts and the like: the account exists and is not let in
  kUnknownUser,
  kOurTrouble,  // passdb down, overload: counted against nobody
};

// A lock set by a settled failure: the `lock` audit event.
struct NewLock {
  std::string rule;
  std::string subject;
  Time until;
  uint32_t level = 1;
};

struct Settled {
  bool repeat = false;       // this wrong password was seen for this user within the hour
  Duration hold{};           // a delay rule wants the answer, right or wrong, held this long in all
  std::optional<Hit> would;  // observe: a delay, or the account's rules
  std::optional<Hit> delayed;  // enforce: what `hold` is for
  std::vector<NewLock> locks;  // empty in observe mode
  uint64_t journalled = 0;     // as in Hit: of a lock set, or the network made familiar
  SharedSettlement shared;     // what other hosts must be told, if anything
  // Memory ended before all of it was counted. To be answered as our own trouble, whatever the
  // credential was: nobody learns from a guess that is not counted.
  bool is_short = false;
};

struct LockInfo {
  std::string subject;
  std::string rule;
  std::string reason;  // an administrator's
  Time until;
  uint32_t level = 1;
};

struct RuleState {
  std::string rule;
  std::string subject;
  Count count = Count::kFailures;
  Then then = Then::kLock;
  Limit limit;
  uint32_t counted = 0;       // in the window now
  uint32_t pending = 0;       // being verified
  std::optional<Time> until;  // it locks or refuses until then
  uint32_t level = 0;         // of the last lock within growth's memory
  // What all hosts have counted together; nullopt where nobody was asked or none answered.
  std::optional<uint32_t> together;
};

struct FamiliarInfo {
  std::string network;  // CIDR or `unknown`
  Time last_success;
};

struct PastAttempt {
  Time at;
  std::string user;     // shortened if long
  std::string rip;      // empty: none
  std::string outcome;  // ok, bad-credential, unknown-user, temporary, locked, rate
  std::string rule;     // of a refusal
};

// Everything held on one subject.
struct Explanation {
  std::string subject;
  std::vector<LockInfo> locks;  // live ones
  std::vector<RuleState> rules;
  std::vector<FamiliarInfo> familiar;  // newest first
  std::vector<PastAttempt> attempts;   // newest first, at most ten of those still remembered
  // Where hosts count together, what they have counted for `rules`: its holds' rules, one after the
  // other, are those. Asking it reserves nothing.
  SharedRequest together;

  // Puts the answer to that in. A rate that all hosts together have reached refuses here too.
  void join(const SharedReply& reply, Time now);
};

struct Figures {
  size_t subjects = 0;  // all tracked entries, inside max-subjects
  size_t counters = 0;
  size_t locks = 0;  // live ones
  size_t familiar = 0;
  size_t remembered_passwords = 0;
  size_t pending = 0;  // reservations
  size_t waiting = 0;  // parked attempts
  size_t bytes = 0;    // of the tables
  uint64_t evicted = 0;
  uint64_t evicted_locks = 0;  // live ones, because locks alone filled max-subjects
  std::vector<std::pair<std::string, size_t>> locks_by_rule;
};

// The policy engine: counts, locks, spares (docs/POLICY.md). Pure: no I/O, no clock, no thread of
// its own. Every member is thread-safe and none blocks on more than the lock of one stripe of
// subjects at a time.
class Engine {
 public:
  // `settings` have no errors(). `random` gives the key of the password fingerprints and is not
  // kept. `journal` may be null (tests, replay) and outlives the engine.
  Engine(Settings settings, const HashKey& key, Random& random, Journal* journal = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Decides an attempt and, with kAllow, counts it in advance, so that parallel attempts cannot
  // pass a limit together. Throws std::bad_alloc, as admit_account() does, with nothing counted.
  [[nodiscard]] Decision reserve(const AttemptFacts& facts, Time now, const WaiterSource& waiter);

  // A passdb maps the name sent to the account `account`: counts the attempt there too. kAllow and
  // `ticket` goes on; kRefuse, and the ticket is over; kWait, and the ticket stays as it was, to be
  // asked again. Not needed if the names are equal; an empty ticket is allowed. In observe mode the
  // `would` found here comes with settle().
  [[nodiscard]] Decision admit_account(Ticket& ticket, std::string_view account, Time now,
                                       const WaiterSource& waiter);

  // The attempt is verified; the ticket is over. Call it for a cancelled attempt too. An empty
  // ticket settles nothing. Needs memory to count, but throws nothing where there is none.
  // `recognised` names a credential that is no guess (a revoked code, an old password), which makes
  // its repetitions known where the mechanism shows no password.
  Settled settle(Ticket ticket, Outcome outcome, Time now,
                 std::string_view recognised = {}) noexcept;

  // Counting together with other hosts, which all have the same keys: share() once, before the
  // first attempt; `random` is not kept. Whatever they answer or do not answer, the limits of this
  // host hold by themselves, and its locks are its own until it is told of theirs.
  void share(const HashKey& fingerprint_key, Random& random);
  // What to ask them when reserve(), or with `account` admit_account(), has allowed the attempt.
  // No holds: nothing is to be asked.
  [[nodiscard]] SharedRequest shared_request(const Ticket& ticket, bool account) const;
  // Their answer to that. As reserve(), but kWait, after which the ticket stays as it was, is told
  // to nobody who waits.
  [[nodiscard]] Decision join(Ticket& ticket, const SharedReply& reply, bool account, Time now);
  // Another host's change, or a lock that the shared counters set: stored like one of our own. A
  // lock that was not known yet is returned, for the `lock` audit event.
  std::optional<NewLock> learn(const Change& change, Time now);
  // Another host's administrator has cleared the subject with this key.
  void forget(uint64_t subject, Time now);
  // A rule has tripped elsewhere without a lock here (observe mode): its events are used up. `key`
  // is that of the rule and subject.
  void use_up(uint64_t key);
  // A success elsewhere gives back the failures of the network with this tag.
  void give_back(uint64_t subject, uint32_t tag, Time now);
  // The key of the subject that the lock is on; nullopt if its text is shortened.
  [[nodiscard]] std::optional<uint64_t> subject_of(const LockRecord& lock) const;

  [[nodiscard]] bool is_trusted(const std::optional<IpAddress>& rip) const;
  [[nodiscard]] std::shared_ptr<const Settings> settings() const;

  // New settings, without errors(). Counters and locks of a rule stay if its name, count, by and
  // prefixes are the same, else they go. Stripes already made for max-subjects stay.
  void configure(Settings settings, Time now);

  // Administrators' commands, in force for the very next attempt. A lock spares nobody. Returns the
  // number in the journal (0 without one).
  uint64_t add_lock(const Subject& subject, Duration lasts, std::string reason, Time now);
  // Clears every lock on the subject, by rule or administrator, with growth and counted events; the
  // locks that were live are returned, for the `unlock` audit events.
  std::vector<LockInfo> clear(const Subject& subject, Time now);
  std::vector<LockInfo> clear_all(Time now);
  [[nodiscard]] std::vector<LockInfo> locks(Time now) const;  // by end, soonest first
  [[nodiscard]] Explanation explain(const Subject& subject, Time now) const;
  [[nodiscard]] Figures figures(Time now) const;

  // Takes another key, before the first attempt and before restore(): the daemon can open its state
  // only after it has made the engine and become another user.
  void adopt_key(const HashKey& key);

  // Drops what has expired in a part of the tables; call it every second.
  void sweep(Time now);

  // For daemon/state. restore() at start, before the first attempt; times ahead of `now` are pulled
  // back to it (DESIGN 6.11). False: what has expired, is damaged or belongs to no present rule is
  // not taken and need not be stored any longer.
  bool restore(const Change& change, Time now);
  bool restore(const CounterRecord& record, Time now);
  // The counters changed since the last call; all of them after touch_counters().
  [[nodiscard]] std::vector<CounterRecord> take_changed_counters();
  void touch_counters();
  // Every lock, growth level and familiar network, for rewriting a lost journal.
  [[nodiscard]] std::vector<Change> durable_state(Time now) const;

 private:
  friend class Ticket;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_ENGINE_H_
