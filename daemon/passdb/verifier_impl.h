#ifndef SASLATCH_DAEMON_PASSDB_VERIFIER_IMPL_H_
#define SASLATCH_DAEMON_PASSDB_VERIFIER_IMPL_H_

#include <array>
#include <atomic>
#include <boost/container/small_vector.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/passdb/log_limit.h"
#include "daemon/passdb/verifier.h"
#include "daemon/password/dummy.h"
#include "daemon/password/stored_password.h"
#include "daemon/password/verdict_cache.h"

namespace saslatch::passdb {

// What only the parts of Verifier include: verifier.cc looks up and compares with what is stored,
// verifier_proof.cc asks the passdbs that judge by themselves.

// What the credentials of one account said together.
struct Tried {
  bool matched = false;
  bool ran = false;         // at least one was computed, so that the time was spent
  bool no_memory = false;   // at least one could not be, for want of memory
  bool remembered = false;  // matched by the cache, without its hash
};

// How long authenticators took of late to find passwords wrong, for those that need not be judged.
// Lock-free; a reader gets each of the last few in turn, so that what he shows varies as they do.
class WrongTimes {
 public:
  using Duration = std::chrono::microseconds;
  void note(Duration took) {
    if (took.count() > 0) times_[next_write_.fetch_add(1) % times_.size()] = took.count();
  }
  // 0: none was noted yet.
  [[nodiscard]] Duration next() const {
    const size_t count = std::min(next_write_.load(), times_.size());
    return Duration(count == 0 ? 0 : times_[next_read_.fetch_add(1) % count].load());
  }

 private:
  std::array<std::atomic<int64_t>, 64> times_{};
  std::atomic<size_t> next_write_{0};
  mutable std::atomic<size_t> next_read_{0};
};

// How far the chain has been asked.
struct Progress {
  size_t index = 0;  // of the passdb that is asked, or that answered
  bool any_down = false;
  std::chrono::microseconds judged_for{0};  // what authenticators took that did not decide
};

class Verifier::Impl {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Done = std::function<void(CheckResult)>;

  Impl(std::vector<std::shared_ptr<Passdb>> chain, Log& log, Random& random,
       std::chrono::milliseconds verdicts_last, CodeRules codes)
      : chain_(std::move(chain)),
        codes_(std::move(codes)),
        verdicts_(verdicts_last, random),
        down_(chain_.size()),
        log_(log),
        default_dummy_(password::default_dummy(random)) {}

  // The passdb at `Progress::index` decided; null for UnknownUser and Unavailable.
  using Found = std::function<void(const Passdb*, Lookup, Progress)>;

  // Asks the passdb at `at.index`, and those behind it until one knows the name or presumes it.
  void ask(Progress at, std::string username, Time now, Found done) const;
  // The same, with each presumed account asked about.
  void ask_for_certain(Progress at, std::string username, Time now, Found done) const;
  // Here, or by `hash_elsewhere` where that is given and a slow hash stands before the answer.
  void judge_somewhere(const CheckRequest& request, const Passdb* passdb, Lookup found, Progress at,
                       Done done, const HashElsewhere& hash_elsewhere) const;
  [[nodiscard]] const CodeRules& codes() const { return codes_; }
  [[nodiscard]] std::optional<CheckResult> check_inline(const CheckRequest& request) const;
  bool list(std::string_view mask, const std::function<bool(std::string_view)>& each) const;
  [[nodiscard]] std::vector<PassdbStatus> status() const;
  void sweep(Time now) const { verdicts_.sweep(now); }

 private:
  // The credentials of an account, in its order.
  struct OneParsed {
    Result<password::StoredPassword> stored;
    std::optional<password::VerdictCache::Digest> verdict = {};  // where it may be in the cache
    bool is_known_right = false;                                 // it is
  };
  using Parsed = boost::container::small_vector<OneParsed, 1>;
  struct Proving;

  [[nodiscard]] Parsed parse_all(const CheckRequest& request, const Lookup& found) const;
  [[nodiscard]] std::optional<std::pair<const Passdb*, Lookup>> find_now(
      const CheckRequest& request) const;
  [[nodiscard]] bool is_slow(const CheckRequest& request, const Lookup& found,
                             const Parsed& parsed) const;
  [[nodiscard]] CheckResult judge(const CheckRequest& request, const Passdb* passdb,
                                  const Lookup& found, const Parsed& parsed, CodeFacts facts,
                                  std::chrono::microseconds judged_for = {}) const;
  // Whether the policy takes the account that the name is mapped to; else `result` is the answer.
  [[nodiscard]] bool is_admitted(const CheckRequest& request, const Account& account,
                                 CheckResult& result) const;
  // `proven`: what an authenticator said; null: what is stored decides.
  [[nodiscard]] CheckResult judge_account(const CheckRequest& request, const Passdb& passdb,
                                          const Account& account, const Parsed& parsed,
                                          CodeFacts facts, const Tried* proven = nullptr) const;
  [[nodiscard]] bool may_use_main_password(const CheckRequest& request, const CodeFacts& facts,
                                           const Passdb& passdb, const Account& account) const;
  [[nodiscard]] Tried try_credentials(const CheckRequest& request, const Passdb& passdb,
                                      const Account& account, const Parsed& parsed) const;
  // Of an account with an authenticator.
  void prove(const std::shared_ptr<Proving>& proving) const;
  void on_proof(const std::shared_ptr<Proving>& proving, const ProofResult& result) const;
  // The answer, where the authenticator decided, or none had to be asked.
  void conclude(Proving& proving, const Tried* proven) const;
  [[nodiscard]] std::optional<password::VerdictCache::Digest> verdict_of(
      const Proving& proving) const;

  // Spends what a check usually costs. False if there was no memory for it: a stored password
  // would have met the same, so that the answer must be the same as well.
  bool run_dummy(const CheckRequest& request) const;
  // nullopt: no wrong password costs a hash here.
  [[nodiscard]] std::optional<password::StoredPassword> dummy() const;
  // Whether an earlier passdb than the one at `index` decides for `name`.
  [[nodiscard]] bool is_known_before(size_t index, std::string_view name) const;

  void note(size_t index, const Lookup& found, Time now) const;
  void note_down(size_t index, const std::string& reason, Time now) const;
  void note_up(size_t index) const;
  void warn(std::string_view name, std::string_view text, const Passdb& passdb,
            const Account& account, std::string cause, Time now) const;

  const std::vector<std::shared_ptr<Passdb>> chain_;
  const CodeRules codes_;
  mutable password::VerdictCache verdicts_;
  mutable std::vector<std::atomic<bool>> down_;  // what was logged last of each passdb
  mutable WrongTimes wrong_times_;
  Log& log_;
  mutable LogLimit limit_;
  const std::string default_dummy_;
};

// Whether it is an account of which its passdb is not certain.
bool is_presumed(const Lookup& found);
// What a client showed, borrowed from the request.
Shown shown_by(const CheckRequest& request);
// Why the code does not let in; nullopt if it does.
std::optional<Spent::Why> why_not(const FoundCode& code, const CheckRequest& request);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_VERIFIER_IMPL_H_
