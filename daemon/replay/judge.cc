#include "daemon/replay/judge.h"

#include <algorithm>
#include <utility>

namespace saslatch::replay {
namespace {

// The keys keep strangers from choosing names that collide in a live daemon. A replay has no
// strangers, and the same log must give the same figures each time.
class NoRandom : public Random {
 public:
  void fill(std::span<uint8_t> bytes) override {
    std::fill(bytes.begin(), bytes.end(), uint8_t{0x5a});
  }
};

policy::Settings enforced(policy::Settings settings) {
  settings.mode = policy::Mode::kEnforce;
  return settings;
}

policy::Outcome outcome_of(Result result) {
  switch (result) {
    case Result::kOk:
      return policy::Outcome::kSuccess;
    case Result::kUnknownUser:
      return policy::Outcome::kUnknownUser;
    case Result::kBadCredential:
    case Result::kRefused:
      break;
  }
  return policy::Outcome::kBadCredential;
}

}  // namespace

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::kAllow:
      return "allow";
    case Decision::kRefuse:
      return "refuse";
    case Decision::kDelay:
      break;
  }
  return "delay";
}

Judge::Judge(policy::Settings settings) {
  NoRandom random;
  engine_ =
      std::make_unique<policy::Engine>(enforced(std::move(settings)), policy::HashKey{}, random);
}

Judged Judge::judge(const Attempt& attempt, std::string_view user) {
  // The daemon sweeps every second, to be rid of what has expired; here only memory asks for it.
  if (swept_ == Time::min() || attempt.at > swept_ + std::chrono::minutes(1) ||
      attempt.at < swept_) {
    swept_ = attempt.at;
    engine_->sweep(attempt.at);
  }
  policy::AttemptFacts facts;
  facts.user = user;
  facts.rip = attempt.rip;
  char password[sizeof(uint64_t)];
  if (attempt.password) {
    const uint64_t id = *attempt.password;
    for (size_t i = 0; i < sizeof password; ++i) password[i] = static_cast<char>(id >> (8 * i));
    facts.password = std::string_view(password, sizeof password);
  }
  policy::Decision decision = engine_->reserve(facts, attempt.at, nullptr);
  Judged judged;
  switch (decision.verdict) {
    case policy::Verdict::kAllow:
      break;
    case policy::Verdict::kRefuse:
      judged.decision = Decision::kRefuse;
      judged.rule = std::move(decision.hit->rule);
      judged.subject = std::move(decision.hit->subject);
      judged.until = decision.hit->until;
      return judged;
    case policy::Verdict::kWait:  // one at a time: nothing is ever being verified
    case policy::Verdict::kOverload:
      return judged;
  }
  policy::Settled settled =
      engine_->settle(std::move(decision.ticket), outcome_of(attempt.result), attempt.at);
  judged.locks = std::move(settled.locks);
  if (settled.delayed) {
    judged.decision = Decision::kDelay;
    judged.rule = std::move(settled.delayed->rule);
    judged.subject = std::move(settled.delayed->subject);
    judged.until = settled.delayed->until;
  }
  return judged;
}

}  // namespace saslatch::replay
