// The tables inside their bound: making, erasing, evicting, sweeping.
#include <algorithm>

#include "daemon/policy/engine_impl.h"

namespace saslatch::policy {
namespace {

// How many entries an eviction looks at to find the one least worth keeping; smaller stripes are
// looked at whole.
constexpr size_t kSample = 24;
// Locks alone fill the memory when counters have less than this part of it: with none at all,
// nothing would be counted any more.
constexpr size_t kCountersAtLeast = 256;
// Parts that sweep() takes one after the other: each is visited once in this many calls.
constexpr uint64_t kSweepParts = 64;

uint64_t next_random(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// The position in `table` with the lowest score, among all of a small table and a sample of a big
// one. `table` is not empty.
template <typename Entry, typename Score>
size_t least(const Table<Entry>& table, uint64_t& random, Score score) {
  const bool all = table.size() <= 4 * kSample;
  const size_t looks = all ? table.size() : kSample;
  size_t found = all ? 0 : next_random(random) % table.size();
  auto lowest = score(table.at(found));
  for (size_t i = 1; i < looks; ++i) {
    const size_t candidate = all ? i : next_random(random) % table.size();
    const auto value = score(table.at(candidate));
    if (value < lowest) lowest = value, found = candidate;
  }
  return found;
}

// How near to its limit, and how much of its window is still ahead.
double worth(const Window& window, const CompiledRule& rule, Time now) {
  const double near = std::min(
      1.0, static_cast<double>(window.count(rule.shape)) / static_cast<double>(rule.shape.limit));
  const double age = static_cast<double>(seconds_of(now)) - window.last_touched();
  const double length = static_cast<double>(rule.rule.limit.window.count()) / 1000;
  return near * (1 - age / length);
}

}  // namespace

bool Engine::Impl::advance(Window& window, const CompiledRule& rule, Time now) {
  const size_t before = window.weight();
  const bool left = window.advance(rule.shape, now);
  if (window.weight() != before)
    windows_.fetch_sub(before - window.weight(), std::memory_order_relaxed);
  return left;
}

// The key of a password's counters is made from its fingerprint, which is never stored.
bool Engine::Impl::is_stored(const Stripe& here, const Window& window) const {
  return journal_ != nullptr && here.config->rules[window.rule].rule.by != By::kPassword;
}

Window* Engine::Impl::window_for(Stripe& here, const Compiled& config, uint16_t rule,
                                 uint64_t subject) {
  const uint64_t id = config.rules[rule].id;
  std::optional<uint16_t> index = rule;
  if (here.config.get() != &config) index = here.config->index_of(id);
  if (!index) return nullptr;
  const auto [window, is_new] = here.windows.insert(mix(subject, id));
  if (is_new) windows_.fetch_add(1, std::memory_order_relaxed);
  window->rule = *index;
  return window;
}

// False: there is no memory to note it, and all counters will be written instead.
bool Engine::Impl::note_changed(Stripe& here, uint64_t key) noexcept {
  try {
    here.changed.push_back(key);
    return true;
  } catch (const std::bad_alloc&) {
    (void)journal_->append_unsaid();
    return false;
  }
}

void Engine::Impl::touch(Stripe& here, Window& window) noexcept {
  if (window.changed || !is_stored(here, window)) return;
  window.changed = note_changed(here, window.key);
}

void Engine::Impl::erase_window(Stripe& here, uint64_t key) noexcept {
  const Window* window = here.windows.find(key);
  if (window == nullptr) return;
  windows_.fetch_sub(window->weight(), std::memory_order_relaxed);
  if (!window->changed && is_stored(here, *window)) (void)note_changed(here, key);
  here.windows.erase(key);
}

Lock& Engine::Impl::lock_for(Stripe& here, uint64_t key, Time until) {
  const auto [lock, is_new] = here.locks.insert(key);
  if (is_new) locks_.fetch_add(lock->weight(), std::memory_order_relaxed);
  lock->until = until;
  const auto end = until.time_since_epoch().count();
  if (end < here.first_end.load()) here.first_end.store(end);
  return *lock;
}

void Engine::Impl::describe(Lock& lock, std::string subject, std::string reason) noexcept {
  const size_t before = lock.weight();
  lock.subject = std::move(subject);
  lock.reason = std::move(reason);
  locks_.fetch_add(lock.weight() - before, std::memory_order_relaxed);
}

void Engine::Impl::erase_lock(Stripe& here, uint64_t key) noexcept {
  const Lock* lock = here.locks.find(key);
  if (lock == nullptr) return;
  locks_.fetch_sub(lock->weight(), std::memory_order_relaxed);
  if (lock->rule_id == 0) locks_by_hand_.fetch_sub(1, std::memory_order_release);
  if (is_stored(*lock)) append(LockCleared{key});
  here.locks.erase(key);
}

void Engine::Impl::erase_place(Stripe& here, Familiar& account, size_t place) noexcept {
  append(FamiliarDropped{account.key, account.places[place].network});
  account.places.erase(account.places.begin() + static_cast<std::ptrdiff_t>(place));
  familiar_.fetch_sub(1, std::memory_order_relaxed);
  if (account.places.empty()) here.familiar.erase(account.key);
}

// Brings the tables back inside max-subjects. A kind that has more than its share gives first, so
// that neither a flood of guesses can drive out the owners' networks nor these the counters.
void Engine::Impl::make_room(uint64_t near, Time now) noexcept {
  const size_t max = max_subjects_.load(std::memory_order_relaxed);
  for (;;) {
    const size_t windows = windows_, repeats = repeats_, locks = locks_, familiar = familiar_;
    if (windows + repeats + locks + familiar <= max) return;
    bool evicted = false;
    if (familiar > max / 2) evicted = evict_familiar(near);
    if (!evicted && repeats > max / 4) evicted = evict_repeat(near);
    if (windows + repeats > max / kCountersAtLeast) {
      if (!evicted) evicted = evict_window(near, now);
      if (!evicted) evicted = evict_repeat(near);
    }
    if (!evicted) evicted = evict_familiar(near);
    if (!evicted) evicted = evict_lock(now);
    if (!evicted) return;
    evicted_.fetch_add(1, std::memory_order_relaxed);
  }
}

bool Engine::Impl::evict_window(uint64_t near, Time now) {
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    Stripe& here = stripe(near + i);
    const std::lock_guard guard(here.mutex);
    if (here.windows.empty()) continue;
    const size_t victim = least(here.windows, here.random, [&](const Window& window) {
      return worth(window, here.config->rules[window.rule], now);
    });
    erase_window(here, here.windows.at(victim).key);
    return true;
  }
  return false;
}

bool Engine::Impl::evict_repeat(uint64_t near) {
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    Stripe& here = stripe(near + i);
    const std::lock_guard guard(here.mutex);
    if (here.repeats.empty()) continue;
    const size_t victim =
        least(here.repeats, here.random, [](const Repeat& repeat) { return repeat.seen; });
    here.repeats.erase(here.repeats.at(victim).key);
    repeats_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  }
  return false;
}

bool Engine::Impl::evict_familiar(uint64_t near) {
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    Stripe& here = stripe(near + i);
    const std::lock_guard guard(here.mutex);
    if (here.familiar.empty()) continue;
    const size_t victim = least(here.familiar, here.random, [](const Familiar& account) {
      return account.places.front().last;
    });
    erase_place(here, here.familiar.at(victim), 0);
    return true;
  }
  return false;
}

// The one that ends first, of all: what has ended already and is only kept for growth goes before
// any live lock. `first_end` of a stripe is never later than its first lock's end, so the stripe
// with the earliest one is looked at, and looked at again if it was too early.
bool Engine::Impl::evict_lock(Time now) {
  for (;;) {
    Stripe* where = &stripes_[0];
    for (uint64_t i = 1; i <= stripe_mask_; ++i)
      if (stripes_[i].first_end.load() < where->first_end.load()) where = &stripes_[i];
    const std::lock_guard guard(where->mutex);
    if (where->locks.empty()) {
      if (where->first_end.load() == Stripe::kNoEnd) return false;
      where->first_end.store(Stripe::kNoEnd);
      continue;
    }
    const Lock* first = &where->locks.at(0);
    for (size_t i = 1; i < where->locks.size(); ++i)
      if (where->locks.at(i).until < first->until) first = &where->locks.at(i);
    const auto end = first->until.time_since_epoch().count();
    if (where->first_end.exchange(end) < end) continue;
    if (first->is_live(now)) evicted_locks_.fetch_add(1, std::memory_order_relaxed);
    erase_lock(*where, first->key);
    return true;
  }
}

void Engine::Impl::sweep(Time now) {
  const uint64_t parts = std::min<uint64_t>(kSweepParts, stripe_mask_ + 1);
  const uint64_t part = sweep_at_.fetch_add(1, std::memory_order_relaxed) % parts;
  for (uint64_t i = part; i <= stripe_mask_; i += parts) {
    const std::lock_guard guard(stripes_[i].mutex);
    sweep_stripe(stripes_[i], now);
  }
}

void Engine::Impl::sweep_stripe(Stripe& here, Time now) {
  // From the end: erasing moves the last entry into the gap.
  for (size_t i = here.windows.size(); i-- > 0;) {
    Window& window = here.windows.at(i);
    if (!advance(window, here.config->rules[window.rule], now)) erase_window(here, window.key);
  }
  for (size_t i = here.repeats.size(); i-- > 0;) {
    if (is_remembered(here.repeats.at(i), now)) continue;
    here.repeats.erase(here.repeats.at(i).key);
    repeats_.fetch_sub(1, std::memory_order_relaxed);
  }
  for (size_t i = here.locks.size(); i-- > 0;) {
    Lock& lock = here.locks.at(i);
    lock.bound(now);
    const bool grows = lock.rule_id != 0;
    if (now >= lock.end(now) + (grows ? kGrowthMemory : Duration(0))) erase_lock(here, lock.key);
  }
  for (size_t i = here.familiar.size(); i-- > 0;) {
    Familiar& account = here.familiar.at(i);
    for (size_t p = account.places.size(); p-- > 0;) {
      if (now - account.places[p].last < here.config->settings->familiar_for) continue;
      const bool last = account.places.size() == 1;
      erase_place(here, account, p);
      if (last) break;
    }
  }
}

}  // namespace saslatch::policy
