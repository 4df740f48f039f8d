#ifndef SASLATCH_DAEMON_POLICY_ENGINE_IMPL_H_
#define SASLATCH_DAEMON_POLICY_ENGINE_IMPL_H_

#include <array>
#include <atomic>
#include <boost/container/small_vector.hpp>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "daemon/policy/compiled.h"
#include "daemon/policy/engine.h"
#include "daemon/policy/keyed_hash.h"
#include "daemon/policy/stripe.h"

namespace saslatch::policy {

// What an attempt holds on one subject.
struct Hold {
  uint64_t subject = 0;
  uint64_t who = 0;  // the user or, for an alias, the account: whose password it is
  uint16_t group = 0;
  bool account = false;
  uint64_t applies = 0;   // bit i: the group's i-th rule counts this attempt
  uint64_t held = 0;      // bit i: and has a reservation for it
  bool joined = false;    // other hosts have reservations for it
  bool repeated = false;  // other hosts have seen the wrong password
};

struct Ticket::Body {
  Engine::Impl* engine = nullptr;
  std::shared_ptr<const Compiled> config;
  std::string user;
  std::string account;
  uint64_t user_key = 0;
  uint64_t account_key = 0;
  std::optional<IpAddress> rip;
  std::optional<Network> network;  // as [policy] cuts it; absent: the source `unknown`
  uint32_t tag = 0;                // of `network`, for give_back()
  std::optional<uint64_t> fingerprint;
  // In place of a fingerprint, known only after the check: no reservation goes by it.
  std::optional<uint64_t> recognised;
  bool device = false;  // a code that was used before, wherever it comes from now
  bool shared = false;
  bool trusted = false;
  bool counted = true;  // false: trusted, or observe would have refused it
  bool familiar = false;
  bool account_familiar = false;
  std::optional<Hit> account_would;  // observe: of admit_account()
  uint64_t serial = 0;               // names the attempt to other hosts; 0: to none
  Duration delayed{};                // what a delay rule wants …
  std::optional<Hit> delay;          // … and which
  // As many as usual presets have groups of rules.
  boost::container::small_vector<Hold, 6> holds;

  // Whether a rule of this kind can count the attempt at all.
  [[nodiscard]] bool is_visible_to(Count count) const {
    if (count == Count::kDistinctPasswords) return fingerprint.has_value();
    return count != Count::kDistinctUsers || !user.empty();
  }
  [[nodiscard]] bool is_familiar_for(bool as_account) const {
    return device || (as_account ? account_familiar : familiar);
  }
  // Whom it is counted for, as an administrator reads it.
  [[nodiscard]] std::string subject_text(const Hold& hold) const;
  // What makes two attempts in flight the same: for failures the password for the user, for
  // distinct counts the member, else nothing.
  [[nodiscard]] uint64_t token_for(const Hold& hold, Count count) const;
  // The member of a distinct count.
  [[nodiscard]] uint32_t member_for(Count count) const {
    return static_cast<uint32_t>(count == Count::kDistinctUsers ? user_key : *fingerprint);
  }
  // The key of the memory of this wrong password; nullopt without a fingerprint.
  [[nodiscard]] std::optional<uint64_t> repeat_key(const Hold& hold) const;
};

constexpr bool is_distinct(Count count) {
  return count == Count::kDistinctUsers || count == Count::kDistinctPasswords;
}
// The kinds for which a repeated wrong password is no event.
constexpr bool ignores_repetitions(Count count) {
  return count == Count::kFailures || count == Count::kUnknownUsers;
}
// Whether a rule that counts so counts an attempt with this outcome.
bool is_event(Count count, Outcome outcome);
// Observe mode keeps its locks beside the real ones.
constexpr uint64_t shadow_of(uint64_t key) { return mix(key, 0x736861646f77ull); }
// Seconds since 1970, as the tables keep them.
inline uint32_t seconds_of(Time time) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}
inline bool is_remembered(const Repeat& repeat, Time now) {
  const uint32_t at = seconds_of(now);
  return at < repeat.seen || std::chrono::seconds(at - repeat.seen) < kRepeatFor;
}

// The engine, by files: engine.cc decides and reserves, engine_subjects.cc knows whom an attempt
// concerns, engine_settle.cc counts and locks, engine_store.cc keeps the tables inside their bound,
// engine_persist.cc saves, restores and reconfigures, engine_admin.cc answers administrators.
class Engine::Impl {
 public:
  using Body = Ticket::Body;
  using Wakes = std::list<Waiter>;

  Impl(Settings settings, const HashKey& key, Random& random, Journal* journal);

  // engine.cc
  Decision reserve(const AttemptFacts& facts, Time now, const WaiterSource& waiter);
  Decision admit_account(Ticket& ticket, std::string_view account, Time now,
                         const WaiterSource& waiter);
  // Gives back the reservations of body.holds[from] and later, and forgets these.
  void give_back(Body& body, size_t from = 0) noexcept;

  // engine_settle.cc
  Settled settle(Body& body, Outcome outcome, Time now) noexcept;
  // The credential is one that is known: its repetitions are.
  void recognise(Body& body, std::string_view credential) const;

  // engine_shared.cc
  void share(const HashKey& fingerprint_key, Random& random);
  SharedRequest shared_request(const Body& body, bool account) const;
  Decision join(Ticket& ticket, const SharedReply& reply, bool account, Time now);
  std::optional<NewLock> learn(const Change& change, Time now);
  void forget(uint64_t subject, Time now);
  void use_up(uint64_t key);
  void give_back_failures(uint64_t subject, uint32_t tag, Time now);
  std::optional<uint64_t> subject_of(const LockRecord& lock) const;

  // engine_store.cc
  void sweep(Time now);

  // engine_persist.cc
  void adopt_key(const HashKey& key);
  void configure(Settings settings, Time now);
  bool restore(const Change& change, Time now);
  bool restore(const CounterRecord& record, Time now);
  std::vector<CounterRecord> take_changed_counters();
  void touch_counters();
  std::vector<Change> durable_state(Time now) const;

  // engine_admin.cc
  uint64_t add_lock(const Subject& subject, Duration lasts, std::string reason, Time now);
  std::vector<LockInfo> clear(const Subject& subject, Time now);
  std::vector<LockInfo> clear_all(Time now);
  std::vector<LockInfo> locks(Time now) const;
  Explanation explain(const Subject& subject, Time now);
  Figures figures(Time now) const;

  std::shared_ptr<const Compiled> config() const;

 private:
  enum class Room { kFree, kRefused, kFull, kOverload };
  enum class Need { kNothing, kReservation, kRoom };
  // Why an attempt is refused.
  struct Refusal {
    Hit hit;
    Answer answer = Answer::kFail;
  };

  Stripe& stripe(uint64_t subject) const { return stripes_[subject & stripe_mask_]; }

  // engine.cc
  Decision decide(std::unique_ptr<Body>& body, bool account, Time now, const WaiterSource& waiter);
  void refuse(Body& body, bool account, Refusal refusal, Time now, Decision& decision);
  Room take(Body& body, bool account, Time now, const WaiterSource& waiter, Refusal& refusal);
  static uint64_t rules_for(const Body& body, const Group& group, bool account);
  Room enter(Body& body, Hold& hold, Time now, bool only_look, const WaiterSource& waiter,
             Refusal& refusal);
  bool is_struck(Stripe& stripe, Body& body, const Hold& hold, const CompiledRule& rule, Time now,
                 Refusal& refusal);
  Need need_of(Stripe& stripe, const Body& body, const Hold& hold, const CompiledRule& rule,
               Time now);
  Room park(Stripe& stripe, uint64_t key, const WaiterSource& waiter);
  void release(Stripe& stripe, const Body& body, const Hold& hold, const CompiledRule& rule,
               Wakes& wakes) noexcept;
  void wake(Wakes& wakes) noexcept;

  // engine_subjects.cc
  uint32_t tag_of(const std::optional<Network>& network) const;
  std::optional<Hit> administrators_lock(const Body& body, bool account, Time now) const;
  std::optional<Hit> locked_by_hand(uint64_t subject, Time now) const;
  std::optional<uint64_t> subject_of(const Group& group, const Body& body, bool account) const;
  bool is_familiar(const Stripe& stripe, uint64_t user_key, const std::optional<Network>& network,
                   const Settings& settings, Time now) const;
  void remember(Stripe& stripe, const Body& body, Time now, const char* outcome,
                const std::string& rule) const noexcept;

  // engine_settle.cc
  void settle_hold(Body& body, const Hold& hold, Outcome outcome, Time now, Settled& settled,
                   Wakes& wakes) noexcept;
  bool note_repeat(Stripe& stripe, const Body& body, const Hold& hold, Time now);
  void delay(const Body& body, const Hold& hold, const CompiledRule& rule, const Window& window,
             Time now, Settled& settled) const;
  void count_event(Stripe& stripe, const Body& body, const Hold& hold, uint16_t rule, Time now,
                   Settled& settled);
  void give_back_failures(Stripe& stripe, const Body& body, const Hold& hold, Time now);
  void give_back_failures(Stripe& stripe, uint64_t subject, const CompiledRule& rule, uint32_t tag,
                          Time now);
  void trip(Stripe& stripe, const Body& body, const Hold& hold, const CompiledRule& rule, Time now,
            Settled& settled);
  uint64_t make_familiar(Stripe& stripe, uint64_t user_key, const Body& body, Time now);
  static void insert_place(Stripe& stripe, Familiar& account, size_t before,
                           const Familiar::Place& place);

  // engine_shared.cc
  static SharedRule shared_shape(const CompiledRule& compiled);
  static SharedRule shared_rule(const Body& body, const Hold& hold, const CompiledRule& rule);
  void settle_shared(const Body& body, const Hold& hold, Outcome outcome, bool repeat,
                     Settled& settled) const;
  SharedSettlement releases(const Body& body) const;

  // engine_store.cc
  bool advance(Window& window, const CompiledRule& rule, Time now);
  bool is_stored(const Stripe& stripe, const Window& window) const;
  Window* window_for(Stripe& stripe, const Compiled& config, uint16_t rule, uint64_t subject);
  bool note_changed(Stripe& stripe, uint64_t key) noexcept;
  void touch(Stripe& stripe, Window& window) noexcept;
  void erase_window(Stripe& stripe, uint64_t key) noexcept;
  Lock& lock_for(Stripe& stripe, uint64_t key, Time until);
  void describe(Lock& lock, std::string subject, std::string reason) noexcept;
  void erase_lock(Stripe& stripe, uint64_t key) noexcept;
  void erase_place(Stripe& stripe, Familiar& account, size_t place) noexcept;
  void make_room(uint64_t near, Time now) noexcept;
  bool evict_window(uint64_t near, Time now);
  bool evict_repeat(uint64_t near);
  bool evict_familiar(uint64_t near);
  bool evict_lock(Time now);
  void sweep_stripe(Stripe& stripe, Time now);

  // engine_persist.cc
  bool restore_lock(const LockRecord& record, Time now);
  bool restore_familiar(const FamiliarRecord& record, Time now);
  void drop_familiar(const FamiliarDropped& record);
  void reconfigure_stripe(Stripe& stripe, const std::shared_ptr<const Compiled>& config);
  static LockRecord record_of(const Lock& lock);
  // A password's key is made from its fingerprint, which is never stored (DESIGN 6.9).
  static bool is_stored(const Lock& lock) { return !lock.shadow && lock.by != By::kPassword; }
  // To the journal, which is told at least that there is something where memory does not suffice
  // to tell what.
  uint64_t append(const Change& change) noexcept;
  uint64_t append(const Lock& lock) noexcept;

  // engine_admin.cc
  struct Candidate {
    uint64_t key = 0;
    Subject subject;
  };
  std::optional<uint64_t> key_of(const Subject& subject) const;
  void note_by_hand(const Subject& subject);
  void clear_key(Stripe& stripe, uint64_t key, const Compiled& config, Time now,
                 std::vector<LockInfo>& out);
  std::vector<Candidate> candidates(const Subject& subject, const Compiled& config,
                                    const Explanation& known) const;
  void explain_candidate(const Candidate& candidate, Time now, Explanation& out);
  void explain_past(const Subject& subject, Explanation& out) const;
  void explain_familiar(const Subject& subject, Time now, Explanation& out) const;

  Keys keys_;                  // constant from the first attempt on
  HashKey fingerprint_key_{};  // so is this
  bool shares_ = false;        // and this
  uint64_t serials_ = 0;       // chance: no two hosts name two attempts alike
  Journal* const journal_;
  std::mutex configure_mutex_;  // two reloads at once would leave a mixture
  std::unique_ptr<Stripe[]> stripes_;
  uint64_t stripe_mask_ = 0;
  size_t past_per_stripe_ = 0;
  std::atomic<size_t> max_subjects_{0};

  // Kept beside the tables so that nobody has to visit all stripes. In units of a subject.
  std::atomic<size_t> windows_{0};
  std::atomic<size_t> repeats_{0};
  std::atomic<size_t> locks_{0};
  std::atomic<size_t> familiar_{0};
  std::atomic<size_t> waiting_{0};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> evicted_locks_{0};
  std::atomic<uint64_t> sweep_at_{0};
  // Administrators' locks are few: nothing is looked up while there are none, and networks are
  // looked up only for the prefixes in use (bit p of prefixes_[p / 64], IPv6 behind the first 64).
  std::atomic<size_t> locks_by_hand_{0};
  std::array<std::atomic<uint64_t>, 4> prefixes_{};
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_ENGINE_IMPL_H_
