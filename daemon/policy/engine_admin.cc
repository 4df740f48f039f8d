// What administrators ask and order, and the public face of Engine.
#include <algorithm>
#include <map>

#include "daemon/policy/engine_impl.h"

namespace saslatch::policy {
namespace {

constexpr size_t kExplainedAttempts = 10;

LockInfo info_of(const Lock& lock, const Compiled& config, Time now) {
  const auto index = config.index_of(lock.rule_id);
  return {lock.subject, index ? config.rules[*index].rule.name : std::string(kAdministrator),
          lock.reason, lock.end(now), lock.level};
}

bool concerns(const Subject& subject, const Past& past, const std::optional<uint64_t>& user_key) {
  if (user_key && past.user_key != *user_key && past.account_key != *user_key) return false;
  if (subject.by == By::kUser || subject.by == By::kEveryone) return true;
  if (subject.by == By::kPassword) return false;
  if (!subject.network) return !past.rip;
  return past.rip && subject.network->contains(*past.rip);
}

// Whether `group` counts for subjects like this one.
bool is_of(const Group& group, const Subject& subject) {
  const bool is_place = subject.by == By::kIp || subject.by == By::kNetwork;
  if (is_place ? group.by != By::kIp && group.by != By::kNetwork : group.by != subject.by)
    return false;
  if (!subject.network) return true;
  return network_for(group, subject.network->address()).prefix() == subject.network->prefix();
}

}  // namespace

std::optional<uint64_t> Engine::Impl::key_of(const Subject& subject) const {
  switch (subject.by) {
    case By::kUser:
      return keys_.user(subject.user);
    case By::kIp:
    case By::kNetwork:
      return subject.network ? std::optional(keys_.network(*subject.network)) : std::nullopt;
    case By::kUserNetwork:
      return keys_.user_network(keys_.user(subject.user), subject.network);
    case By::kPassword:
      return std::nullopt;  // nobody can name one
    case By::kEveryone:
      break;
  }
  return keys_.everyone();
}

// Lets attempts find an administrator's lock on a network of this length.
void Engine::Impl::note_by_hand(const Subject& subject) {
  if (!subject.network || subject.by == By::kIp) return;
  const auto prefix = static_cast<size_t>(subject.network->prefix());
  const size_t word = subject.network->address().is_v4() ? 0 : 1 + prefix / 64;
  prefixes_[word].fetch_or(uint64_t{1} << (prefix % 64), std::memory_order_release);
}

uint64_t Engine::Impl::add_lock(const Subject& subject, Duration lasts, std::string reason,
                                Time now) {
  const auto subject_key = key_of(subject);
  if (!subject_key) return 0;
  uint64_t number = 0;
  std::string text = subject.to_string();
  {
    Stripe& here = stripe(*subject_key);
    const std::lock_guard guard(here.mutex);
    const uint64_t key = mix(*subject_key, 0);
    const bool is_new = here.locks.find(key) == nullptr;
    Lock& lock = lock_for(here, key, now + lasts);
    lock.rule_id = 0;
    lock.by = subject.by;
    lock.level = 1;
    lock.lasts = lasts;
    describe(lock, std::move(text), std::move(reason));
    note_by_hand(subject);
    if (is_new) locks_by_hand_.fetch_add(1, std::memory_order_release);
    number = lock.journalled = append(lock);
  }
  make_room(*subject_key, now);
  return number;
}

void Engine::Impl::clear_key(Stripe& here, uint64_t key, const Compiled& config, Time now,
                             std::vector<LockInfo>& out) {
  erase_window(here, key);
  for (const uint64_t lock_key : {key, shadow_of(key)}) {
    const Lock* lock = here.locks.find(lock_key);
    if (lock == nullptr) continue;
    if (lock->is_live(now) && !lock->shadow) out.push_back(info_of(*lock, config, now));
    erase_lock(here, lock_key);
  }
}

std::vector<LockInfo> Engine::Impl::clear(const Subject& subject, Time now) {
  std::vector<LockInfo> cleared;
  if (const auto subject_key = key_of(subject)) {
    Stripe& here = stripe(*subject_key);
    const std::lock_guard guard(here.mutex);
    const Compiled& config = *here.config;
    std::vector<uint64_t> keys = {mix(*subject_key, 0)};
    for (const Group& group : config.groups) {
      if (!is_of(group, subject)) continue;
      for (const uint16_t rule : group.rules)
        keys.push_back(mix(*subject_key, config.rules[rule].id));
    }
    for (const uint64_t key : keys) clear_key(here, key, config, now, cleared);
    if (journal_ != nullptr) journal_->cleared(*subject_key, keys);
    return cleared;
  }
  if (subject.by != By::kPassword) return cleared;
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    Stripe& here = stripes_[i];
    const std::lock_guard guard(here.mutex);
    for (size_t l = here.locks.size(); l-- > 0;) {
      const Lock& lock = here.locks.at(l);
      if (lock.by == By::kPassword) clear_key(here, lock.key, *here.config, now, cleared);
    }
  }
  return cleared;
}

std::vector<LockInfo> Engine::Impl::clear_all(Time now) {
  std::vector<LockInfo> cleared;
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    Stripe& here = stripes_[i];
    const std::lock_guard guard(here.mutex);
    while (!here.locks.empty()) {
      const Lock& lock = here.locks.at(here.locks.size() - 1);
      if (lock.is_live(now) && !lock.shadow) cleared.push_back(info_of(lock, *here.config, now));
      erase_lock(here, lock.key);
    }
    while (!here.windows.empty()) erase_window(here, here.windows.at(here.windows.size() - 1).key);
  }
  append(LocksCleared{});
  return cleared;
}

std::vector<LockInfo> Engine::Impl::locks(Time now) const {
  std::vector<LockInfo> live;
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    const Stripe& here = stripes_[i];
    const std::lock_guard guard(here.mutex);
    for (size_t l = 0; l < here.locks.size(); ++l) {
      const Lock& lock = here.locks.at(l);
      if (lock.is_live(now) && !lock.shadow) live.push_back(info_of(lock, *here.config, now));
    }
  }
  std::sort(live.begin(), live.end(), [](const LockInfo& a, const LockInfo& b) {
    return std::tie(a.until, a.subject) < std::tie(b.until, b.subject);
  });
  return live;
}

Explanation Engine::Impl::explain(const Subject& subject, Time now) {
  Explanation out;
  out.subject = subject.to_string();
  explain_past(subject, out);
  explain_familiar(subject, now, out);
  for (const Candidate& candidate : candidates(subject, *config(), out))
    explain_candidate(candidate, now, out);
  return out;
}

// The subject itself, and what decides about its attempts too: a user's pairs with the networks he
// was seen from, an address's networks.
std::vector<Engine::Impl::Candidate> Engine::Impl::candidates(const Subject& subject,
                                                              const Compiled& config,
                                                              const Explanation& known) const {
  std::vector<Candidate> found;
  const auto add = [&](const Subject& candidate) {
    const auto key = key_of(candidate);
    if (!key) return;
    for (const Candidate& other : found)
      if (other.key == *key) return;
    found.push_back({*key, candidate});
  };
  add(subject);
  std::vector<std::optional<IpAddress>> places;
  if (subject.by == By::kUser) {
    for (const auto& past : known.attempts) places.push_back(IpAddress::parse(past.rip));
    for (const auto& familiar : known.familiar) {
      const auto network = Network::parse(familiar.network);
      places.push_back(network ? std::optional(network->address()) : std::nullopt);
    }
  } else if (subject.by == By::kIp && subject.network) {
    places.emplace_back(subject.network->address());
    for (int prefix = places[0]->is_v4() ? 32 : 128; prefix >= 0; --prefix)
      if (prefixes_[places[0]->is_v4() ? 0 : 1 + static_cast<size_t>(prefix) / 64] >>
              (prefix % 64) &
          1)
        add({By::kNetwork, {}, Network(*places[0], prefix)});
  }
  for (const Group& group : config.groups) {
    const bool pairs = subject.by == By::kUser && group.by == By::kUserNetwork;
    const bool networks = subject.by == By::kIp && group.by == By::kNetwork;
    if (!pairs && !networks) continue;
    for (const auto& place : places) {
      Subject candidate{group.by, subject.user, std::nullopt};
      if (place) candidate.network = network_for(group, *place);
      add(candidate);
    }
  }
  return found;
}

void Engine::Impl::explain_candidate(const Candidate& candidate, Time now, Explanation& out) {
  Stripe& here = stripe(candidate.key);
  const std::lock_guard guard(here.mutex);
  const Compiled& config = *here.config;
  const auto live_lock = [&](uint64_t key) -> const Lock* {
    const Lock* lock = here.locks.find(key);
    return lock != nullptr && lock->is_live(now) ? lock : nullptr;
  };
  if (const Lock* lock = live_lock(mix(candidate.key, 0)))
    out.locks.push_back(info_of(*lock, config, now));
  SharedHold asked;
  asked.subject = candidate.key;
  for (const Group& group : config.groups) {
    if (!is_of(group, candidate.subject)) continue;
    for (const uint16_t index : group.rules) {
      const CompiledRule& rule = config.rules[index];
      const uint64_t key = mix(candidate.key, rule.id);
      RuleState state{rule.rule.name,
                      candidate.subject.to_string(),
                      rule.rule.count,
                      rule.rule.then,
                      rule.rule.limit,
                      0,
                      0,
                      std::nullopt,
                      0,
                      std::nullopt};
      if (Window* window = here.windows.find(key)) {
        if (advance(*window, rule, now)) state.counted = window->count(rule.shape);
        if (rule.rule.then == Then::kRefuse && state.counted >= rule.shape.limit)
          state.until = window->below_limit_at(rule.shape, now);
      }
      if (const Pending* pending = here.pending.find(key)) state.pending = pending->distinct();
      if (const Lock* lock = here.locks.find(key))
        if (now < lock->end(now) + kGrowthMemory) state.level = lock->level;
      if (const Lock* lock = live_lock(key)) {
        state.until = lock->end(now);
        out.locks.push_back(info_of(*lock, config, now));
      }
      asked.rules.push_back(shared_shape(rule));
      asked.rules.back().then = Then::kDelay;  // which is looked at only, and reserves nothing
      out.rules.push_back(std::move(state));
    }
  }
  if (shares_ && !asked.rules.empty()) out.together.holds.push_back(std::move(asked));
}

void Explanation::join(const SharedReply& reply, Time now) {
  if (reply.verdict != SharedReply::Verdict::kFree) return;
  for (const SharedReply::Counted& counted : reply.delays) {
    if (counted.hold >= together.holds.size()) continue;
    size_t index = counted.rule;
    for (size_t hold = 0; hold < counted.hold; ++hold) index += together.holds[hold].rules.size();
    if (counted.rule >= together.holds[counted.hold].rules.size() || index >= rules.size())
      continue;
    RuleState& rule = rules[index];
    rule.together = counted.events;
    if (rule.then == Then::kRefuse && counted.events >= rule.limit.events)
      rule.until = std::max(rule.until.value_or(now), now + counted.left);
  }
}

void Engine::Impl::explain_past(const Subject& subject, Explanation& out) const {
  std::optional<uint64_t> user_key;
  if (!subject.user.empty()) user_key = keys_.user(subject.user);
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    const Stripe& here = stripes_[i];
    const std::lock_guard guard(here.mutex);
    for (const Past& past : here.past)
      if (concerns(subject, past, user_key))
        out.attempts.push_back(
            {past.at, past.user, past.rip ? past.rip->to_string() : "", past.outcome, past.rule});
  }
  std::stable_sort(out.attempts.begin(), out.attempts.end(),
                   [](const PastAttempt& a, const PastAttempt& b) { return a.at > b.at; });
  if (out.attempts.size() > kExplainedAttempts) out.attempts.resize(kExplainedAttempts);
}

void Engine::Impl::explain_familiar(const Subject& subject, Time now, Explanation& out) const {
  if (subject.user.empty()) return;
  const uint64_t user_key = keys_.user(subject.user);
  const Stripe& here = stripe(user_key);
  const std::lock_guard guard(here.mutex);
  const Familiar* account = here.familiar.find(user_key);
  if (account == nullptr) return;
  for (auto place = account->places.rbegin(); place != account->places.rend(); ++place)
    if (now - place->last < here.config->settings->familiar_for)
      out.familiar.push_back(
          {place->network ? place->network->to_string() : "unknown", place->last});
}

Figures Engine::Impl::figures(Time now) const {
  Figures figures;
  std::map<std::string, size_t> by_rule;
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    const Stripe& here = stripes_[i];
    const std::lock_guard guard(here.mutex);
    figures.counters += here.windows.size();
    figures.remembered_passwords += here.repeats.size();
    figures.bytes += here.windows.bytes() + here.repeats.bytes() + here.locks.bytes() +
                     here.familiar.bytes() + here.pending.bytes();
    for (size_t w = 0; w < here.windows.size(); ++w)
      figures.bytes += here.windows.at(w).heap_bytes();
    for (size_t p = 0; p < here.pending.size(); ++p)
      figures.pending += here.pending.at(p).distinct();
    for (size_t f = 0; f < here.familiar.size(); ++f) {
      figures.familiar += here.familiar.at(f).places.size();
      figures.bytes += here.familiar.at(f).places.capacity() * sizeof(Familiar::Place);
    }
    for (size_t l = 0; l < here.locks.size(); ++l) {
      const Lock& lock = here.locks.at(l);
      figures.bytes += lock.subject.capacity() + lock.reason.capacity();
      if (!lock.is_live(now) || lock.shadow) continue;
      ++figures.locks;
      ++by_rule[info_of(lock, *here.config, now).rule];
    }
  }
  figures.subjects = windows_ + repeats_ + locks_ + familiar_;
  figures.waiting = waiting_;
  figures.evicted = evicted_;
  figures.evicted_locks = evicted_locks_;
  figures.locks_by_rule.assign(by_rule.begin(), by_rule.end());
  return figures;
}

Engine::Engine(Settings settings, const HashKey& key, Random& random, Journal* journal)
    : impl_(std::make_unique<Impl>(std::move(settings), key, random, journal)) {}
Engine::~Engine() = default;
Decision Engine::reserve(const AttemptFacts& facts, Time now, const WaiterSource& waiter) {
  return impl_->reserve(facts, now, waiter);
}
Decision Engine::admit_account(Ticket& ticket, std::string_view account, Time now,
                               const WaiterSource& waiter) {
  if (!ticket) return {};
  return impl_->admit_account(ticket, account, now, waiter);
}
Settled Engine::settle(Ticket ticket, Outcome outcome, Time now,
                       std::string_view recognised) noexcept {
  if (ticket && !recognised.empty()) impl_->recognise(*ticket.body_, recognised);
  return ticket ? impl_->settle(*ticket.body_, outcome, now) : Settled{};
}
void Engine::share(const HashKey& fingerprint_key, Random& random) {
  impl_->share(fingerprint_key, random);
}
SharedRequest Engine::shared_request(const Ticket& ticket, bool account) const {
  return ticket ? impl_->shared_request(*ticket.body_, account) : SharedRequest{};
}
Decision Engine::join(Ticket& ticket, const SharedReply& reply, bool account, Time now) {
  return impl_->join(ticket, reply, account, now);
}
std::optional<NewLock> Engine::learn(const Change& change, Time now) {
  return impl_->learn(change, now);
}
void Engine::forget(uint64_t subject, Time now) { impl_->forget(subject, now); }
void Engine::use_up(uint64_t key) { impl_->use_up(key); }
void Engine::give_back(uint64_t subject, uint32_t tag, Time now) {
  impl_->give_back_failures(subject, tag, now);
}
std::optional<uint64_t> Engine::subject_of(const LockRecord& lock) const {
  return impl_->subject_of(lock);
}
bool Engine::is_trusted(const std::optional<IpAddress>& rip) const {
  return rip && is_in(settings()->trusted, *rip);
}
std::shared_ptr<const Settings> Engine::settings() const { return impl_->config()->settings; }
void Engine::configure(Settings settings, Time now) { impl_->configure(std::move(settings), now); }
uint64_t Engine::add_lock(const Subject& subject, Duration lasts, std::string reason, Time now) {
  return impl_->add_lock(subject, lasts, std::move(reason), now);
}
std::vector<LockInfo> Engine::clear(const Subject& subject, Time now) {
  return impl_->clear(subject, now);
}
std::vector<LockInfo> Engine::clear_all(Time now) { return impl_->clear_all(now); }
std::vector<LockInfo> Engine::locks(Time now) const { return impl_->locks(now); }
Explanation Engine::explain(const Subject& subject, Time now) const {
  return impl_->explain(subject, now);
}
Figures Engine::figures(Time now) const { return impl_->figures(now); }
void Engine::adopt_key(const HashKey& key) { impl_->adopt_key(key); }
void Engine::sweep(Time now) { impl_->sweep(now); }
bool Engine::restore(const Change& change, Time now) { return impl_->restore(change, now); }
bool Engine::restore(const CounterRecord& record, Time now) { return impl_->restore(record, now); }
void Engine::touch_counters() { impl_->touch_counters(); }
std::vector<CounterRecord> Engine::take_changed_counters() {
  return impl_->take_changed_counters();
}
std::vector<Change> Engine::durable_state(Time now) const { return impl_->durable_state(now); }

}  // namespace saslatch::policy
