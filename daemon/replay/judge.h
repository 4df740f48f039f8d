#ifndef SASLATCH_DAEMON_REPLAY_JUDGE_H_
#define SASLATCH_DAEMON_REPLAY_JUDGE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/policy/engine.h"
#include "daemon/replay/assembler.h"

namespace saslatch::replay {

// [usernames]: a name as logged to the one that is counted; nullopt: not allowed, and so refused by
// the daemon before any rule sees it.
using Normalise = std::function<std::optional<std::string>(std::string_view)>;

enum class Decision { kAllow, kRefuse, kDelay };
std::string_view to_string(Decision decision);  // "allow", "refuse", "delay"

// What the policy would have done with an attempt.
struct Judged {
  Decision decision = Decision::kAllow;
  std::string rule;                    // that refused or delayed
  std::string subject;                 // ... and whom, as `saslatch lock` writes it
  Time until;                          // ... and when that ends, if nothing else happens
  std::vector<policy::NewLock> locks;  // that this attempt set
};

// A policy at work on attempts in order of time: the daemon's own engine, with the events' clock.
// An attempt that is let through is settled at once with the result of the log. One that a policy
// refused at the time and this one lets through is settled as a wrong password: nobody looked at
// it. The same attempts give the same verdicts, each time.
class Judge {
 public:
  // `settings` have no errors(). An `observe` policy is judged as if it were enforced: what it
  // would do is what is asked.
  explicit Judge(policy::Settings settings);

  // `user`: normalised; empty: the log does not name one.
  Judged judge(const Attempt& attempt, std::string_view user);

  [[nodiscard]] policy::Figures figures(Time now) const { return engine_->figures(now); }

 private:
  std::unique_ptr<policy::Engine> engine_;
  Time swept_ = Time::min();
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_JUDGE_H_
