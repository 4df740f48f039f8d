#include "daemon/replay/assembler.h"

#include <algorithm>
#include <utility>

namespace saslatch::replay {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations below

// The passdbs that the auth process asks one after the other answer within this. Its own answer to
// the client comes later, after auth_failure_delay (2 s).
constexpr policy::Duration kOnePassdbChain = 1s;
// How long after the auth process the login process or smtpd may tell of the same attempt: a
// Dovecot connection logs at its end, which login_timeout puts at 3 minutes.
constexpr policy::Duration kToldFor = 3min;
// An smtpd session whose connect line is not in the log: Postfix ends it after 5 minutes' silence
// (smtpd_timeout), so mail of the same user and address after twice that is another session's.
constexpr policy::Duration kSilence = 10min;

uint64_t key_of(const std::optional<IpAddress>& rip, std::string_view user) {
  return hash_of(user, rip ? hash_of(rip->bytes()) : 7);
}

}  // namespace

void Assembler::feed(Located located) {
  const Time at = located.fact.at;
  if (latest_ != Time::min() && at < latest_ - kDisorder) {
    // The clock was put back: what was read before it came before.
    ++figures_.steps_back;
    const auto step = std::chrono::duration_cast<policy::Duration>(latest_ - at);
    figures_.longest_step = std::max(figures_.longest_step, step);
    release(Time::max());
    latest_ = at;
  }
  if (at >= latest_) {
    latest_ = at;
    waiting_.push_back(std::move(located));
  } else {
    ++figures_.late;
    const auto place =
        std::upper_bound(waiting_.begin(), waiting_.end(), at,
                         [](Time time, const Located& other) { return time < other.fact.at; });
    waiting_.insert(place, std::move(located));
  }
  release(latest_ - kDisorder);
}

// Takes what is older than `now`.
void Assembler::release(Time now) {
  while (!waiting_.empty() && waiting_.front().fact.at < now) {
    Located located = std::move(waiting_.front());
    waiting_.pop_front();
    take(located);
  }
  if (now == Time::max()) {  // a step back: nothing that comes belongs to what is here
    taken_ = now;
    told_.clear();
  }
}

std::optional<Attempt> Assembler::next() {
  if (finished_) release(Time::max());
  while (!ready_.empty()) {
    Ready& ready = ready_.front();
    if (!ready.dropped && taken_ < ready.attempt.at + kOnePassdbChain) return std::nullopt;
    const bool dropped = ready.dropped;
    Attempt attempt = std::move(ready.attempt);
    ready_.pop_front();
    if (!dropped) return attempt;
  }
  return std::nullopt;
}

void Assembler::take(Located& located) {
  const Fact& fact = located.fact;
  taken_ = fact.at;
  switch (fact.origin) {
    case Origin::kAudit:
      return emit(located);
    case Origin::kSmtpd:
      return take_smtpd(located);
    case Origin::kLogin:
      return take_login(located);
    case Origin::kAuth:
      return take_auth(located);
  }
}

void Assembler::emit(const Located& located, uint64_t key) {
  const Fact& fact = located.fact;
  Ready ready;
  ready.key = key;
  Attempt& attempt = ready.attempt;
  attempt.at = fact.at;
  attempt.result = fact.result;
  attempt.origin = fact.origin;
  attempt.names_user = fact.names_user;
  attempt.user = fact.user;
  attempt.rip = fact.rip;
  attempt.password = password_of(fact);
  attempt.file = located.file;
  attempt.line = located.line;
  ready_.push_back(std::move(ready));
}

std::optional<uint64_t> Assembler::password_of(const Fact& fact) {
  if (fact.password) return fact.password;
  if (!fact.shows_password) return std::nullopt;
  if (fact.result == Result::kOk) return 0;  // the right one; no counter remembers it
  // Nobody looked whether it was a repetition; what comes next may repeat one from before.
  if (fact.result == Result::kRefused) return next_password_++;
  const uint64_t name = hash_of(fact.user);
  if (fact.repeats) {
    const auto known = passwords_.find(name);
    if (known != passwords_.end()) return known->second;
  }
  if (passwords_.size() >= kMaxNames) passwords_.clear();
  return passwords_[name] = next_password_++;
}

Assembler::Session& Assembler::session_of(const Fact& fact) {
  if (sessions_.size() >= kMaxSessions && sessions_.find(fact.process) == sessions_.end())
    sessions_.erase(sessions_.begin());
  Session& session = sessions_[fact.process];
  const bool goes_on =
      session.rip == fact.rip && (session.connected || fact.at - session.last < kSilence);
  if (!goes_on) session = Session{};
  session.rip = fact.rip;
  session.last = fact.at;
  return session;
}

void Assembler::take_smtpd(Located& located) {
  Fact& fact = located.fact;
  switch (fact.kind) {
    case Fact::Kind::kConnect:
      sessions_.erase(fact.process);
      session_of(fact).connected = true;
      return;
    case Fact::Kind::kDisconnect: {
      const auto found = sessions_.find(fact.process);
      const bool whole = found != sessions_.end() && found->second.connected;
      const bool unnamed = whole && !found->second.logged_in && fact.times > 0;
      if (found != sessions_.end()) sessions_.erase(found);
      if (unnamed) emit(located);
      return;
    }
    case Fact::Kind::kAttempt:
      break;
  }
  Session& session = session_of(fact);
  if (fact.result == Result::kOk) {
    if (session.logged_in && session.user == fact.user) {
      ++figures_.same_session;
      return;
    }
    session.logged_in = true;
    session.user = fact.user;
    return emit(located);
  }
  const uint64_t anyone = key_of(fact.rip, {});
  const uint64_t key = fact.names_user ? key_of(fact.rip, fact.user) : anyone;
  const bool told = absorb(key, 1, fact.at) > 0;
  if (told && fact.names_user) --figures_.told_twice, absorb(anyone, 1, fact.at);
  if (!told) emit(located);
}

// How many of `times` attempts the auth process has told already.
uint32_t Assembler::absorb(uint64_t key, uint32_t times, Time at) {
  const auto found = told_.find(key);
  if (found == told_.end()) return 0;
  Told& told = found->second;
  if (at - told.last > kToldFor) {
    told_.erase(found);
    return 0;
  }
  const uint32_t absorbed = std::min(times, told.times);
  told.times -= absorbed;
  if (told.times == 0) told_.erase(found);
  figures_.told_twice += absorbed;
  return absorbed;
}

void Assembler::forget_old(Time now) {
  if (told_.size() < kMaxSessions) return;
  std::erase_if(told_, [&](const auto& entry) { return now - entry.second.last > kToldFor; });
  if (told_.size() >= kMaxSessions) told_.clear();
}

void Assembler::take_auth(Located& located) {
  const Fact& fact = located.fact;
  const uint64_t key = hash_of(fact.session, key_of(fact.rip, fact.user));
  for (auto ready = ready_.rbegin(); ready != ready_.rend(); ++ready) {
    if (fact.at - ready->attempt.at > kOnePassdbChain) break;
    const auto& password = ready->attempt.password;
    if (ready->dropped || ready->key != key || password != fact.password) continue;
    // The next passdb. One that knows the user tells that the account exists.
    if (fact.result == Result::kBadCredential) ready->attempt.result = fact.result;
    ++figures_.told_twice;
    return;
  }
  forget_old(fact.at);
  const auto tell = [&](uint64_t whom) {
    Told& told = told_[whom];
    ++told.times;
    told.last = fact.at;
  };
  if (fact.session.empty()) {
    tell(key_of(fact.rip, fact.user));
    tell(key_of(fact.rip, {}));
  } else {
    tell(hash_of(fact.session));
  }
  emit(located, key);
}

void Assembler::take_login(Located& located) {
  Fact& fact = located.fact;
  const uint64_t key = fact.session.empty() ? key_of(fact.rip, fact.user) : hash_of(fact.session);
  if (fact.result == Result::kOk) {
    const uint64_t own = hash_of(fact.session, key_of(fact.rip, fact.user));
    for (auto ready = ready_.rbegin(); ready != ready_.rend(); ++ready) {
      if (fact.at - ready->attempt.at > kOnePassdbChain) break;
      if (ready->key != own || ready->attempt.result == Result::kOk) continue;
      ready->dropped = true;
      ++figures_.told_twice;
    }
    told_.erase(key);
    return emit(located);
  }
  const uint32_t told = absorb(key, fact.times, fact.at);
  for (uint32_t i = told; i < std::min(fact.times, kMaxTimes); ++i) emit(located);
}

}  // namespace saslatch::replay
