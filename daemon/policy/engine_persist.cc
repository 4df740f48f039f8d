// Construction, reload, and what daemon/state stores and gives back.
#include <algorithm>
#include <bit>
#include <cstring>

#include "daemon/policy/engine_impl.h"
#include "daemon/policy/settings.h"

namespace saslatch::policy {
namespace {

// Small tables are not divided, so that an eviction sees all of them; from there on a stripe for
// every thousand subjects. The low byte of a key chooses the stripe.
constexpr size_t kMaxStripes = 256;
constexpr size_t kSubjectsPerStripe = 1024;
// Attempts remembered for `explain`, all stripes together, and in one.
constexpr size_t kPast = 65536;
constexpr size_t kPastPerStripe = 1024;

constexpr uint8_t kCounterFormat = 1;

}  // namespace

Engine::Impl::Impl(Settings settings, const HashKey& key, Random& random, Journal* journal)
    : keys_(key), journal_(journal) {
  random.fill(fingerprint_key_);
  const size_t wanted = settings.max_subjects / kSubjectsPerStripe;
  const size_t stripes = std::clamp<size_t>(std::bit_floor(wanted), 1, kMaxStripes);
  stripes_ = std::make_unique<Stripe[]>(stripes);
  stripe_mask_ = stripes - 1;
  past_per_stripe_ = std::min(kPast / stripes, kPastPerStripe);
  max_subjects_ = settings.max_subjects;
  const auto config = Compiled::make(std::move(settings), key);
  for (size_t i = 0; i < stripes; ++i) {
    stripes_[i].config = config;
    stripes_[i].random = i + 1;
  }
}

std::shared_ptr<const Compiled> Engine::Impl::config() const {
  const std::lock_guard guard(stripes_[0].mutex);
  return stripes_[0].config;
}

void Engine::Impl::adopt_key(const HashKey& key) {
  keys_ = Keys(key);
  const auto compiled = Compiled::make(*config()->settings, key);
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    const std::lock_guard guard(stripes_[i].mutex);
    stripes_[i].config = compiled;
  }
}

void Engine::Impl::configure(Settings settings, Time now) {
  const size_t max_subjects = settings.max_subjects;
  const auto config = Compiled::make(std::move(settings), keys_.raw());
  {
    // Stripe by stripe: an attempt goes by the configuration of its user's stripe to its end, and
    // finds its rules in the other stripes by their ids.
    const std::lock_guard one_at_a_time(configure_mutex_);
    for (uint64_t i = 0; i <= stripe_mask_; ++i) {
      const std::lock_guard guard(stripes_[i].mutex);
      reconfigure_stripe(stripes_[i], config);
    }
  }
  max_subjects_ = max_subjects;
  make_room(0, now);
}

void Engine::Impl::reconfigure_stripe(Stripe& here, const std::shared_ptr<const Compiled>& config) {
  for (size_t i = here.windows.size(); i-- > 0;) {
    Window& window = here.windows.at(i);
    const auto index = config->index_of(here.config->rules[window.rule].id);
    if (index)
      window.rule = *index;
    else
      erase_window(here, window.key);
  }
  for (size_t i = here.locks.size(); i-- > 0;) {
    const Lock& lock = here.locks.at(i);
    if (lock.rule_id == 0) continue;
    const auto index = config->index_of(lock.rule_id);
    const bool stays = index && config->rules[*index].rule.then == Then::kLock;
    if (!stays || (lock.shadow && !config->observes())) erase_lock(here, lock.key);
  }
  here.config = config;
}

bool Engine::Impl::restore(const Change& change, Time now) {
  bool taken = true;
  if (const auto* lock = std::get_if<LockRecord>(&change)) {
    taken = restore_lock(*lock, now);
  } else if (const auto* cleared = std::get_if<LockCleared>(&change)) {
    Stripe& here = stripe(cleared->key);
    const std::lock_guard guard(here.mutex);
    erase_lock(here, cleared->key);
  } else if (const auto* familiar = std::get_if<FamiliarRecord>(&change)) {
    taken = restore_familiar(*familiar, now);
  } else if (const auto* dropped = std::get_if<FamiliarDropped>(&change)) {
    drop_familiar(*dropped);
  } else if (std::holds_alternative<LocksCleared>(change)) {
    (void)clear_all(now);
  }
  make_room(0, now);
  return taken;
}

bool Engine::Impl::restore_lock(const LockRecord& record, Time now) {
  // A damaged file may say anything, and so may another host: no lock is without end.
  if (record.lasts < Duration(0) || record.lasts > kMaxLock) return false;
  Stripe& here = stripe(record.key);
  const std::lock_guard guard(here.mutex);
  const bool by_hand = record.rule_id == 0;
  const auto index = here.config->index_of(record.rule_id);
  if (!by_hand && (!index || here.config->rules[*index].rule.then != Then::kLock)) return false;
  const Time until = std::min<Time>(record.until, now + record.lasts);
  if (now >= until + (by_hand ? Duration(0) : kGrowthMemory)) return false;
  const bool is_new = here.locks.find(record.key) == nullptr;
  std::string text = record.subject;
  std::string reason = record.reason;
  Lock& lock = lock_for(here, record.key, until);
  lock.rule_id = record.rule_id;
  lock.lasts = record.lasts;
  lock.level = std::max(record.level, 1u);
  describe(lock, std::move(text), std::move(reason));
  if (!by_hand) {
    lock.by = here.config->rules[*index].rule.by;
    return true;
  }
  if (const auto subject = Subject::parse(record.subject)) {
    lock.by = subject->by;
    note_by_hand(*subject);
  }
  if (is_new) locks_by_hand_.fetch_add(1, std::memory_order_release);
  return true;
}

bool Engine::Impl::restore_familiar(const FamiliarRecord& record, Time now) {
  Stripe& here = stripe(record.user_key);
  const std::lock_guard guard(here.mutex);
  const Settings& settings = *here.config->settings;
  Time at = std::min(record.at, now);
  if (at <= now - settings.familiar_for || settings.familiar_max == 0) return false;
  Familiar& account = *here.familiar.insert(record.user_key).first;
  auto& places = account.places;
  const auto known = std::find_if(places.begin(), places.end(), [&](const Familiar::Place& place) {
    return place.network == record.network;
  });
  if (known != places.end()) {
    at = std::max(at, known->last);
    places.erase(known);
    familiar_.fetch_sub(1, std::memory_order_relaxed);
  }
  const auto behind = std::find_if(places.begin(), places.end(),
                                   [&](const Familiar::Place& place) { return place.last > at; });
  insert_place(here, account, static_cast<size_t>(behind - places.begin()),
               {record.network, at, at});
  familiar_.fetch_add(1, std::memory_order_relaxed);
  while (places.size() > settings.familiar_max) erase_place(here, account, 0);
  return true;
}

void Engine::Impl::drop_familiar(const FamiliarDropped& record) {
  Stripe& here = stripe(record.user_key);
  const std::lock_guard guard(here.mutex);
  Familiar* account = here.familiar.find(record.user_key);
  if (account == nullptr) return;
  for (size_t i = 0; i < account->places.size(); ++i) {
    if (account->places[i].network != record.network) continue;
    erase_place(here, *account, i);
    return;
  }
}

// A counter's bytes: format, rule id, then the window.
bool Engine::Impl::restore(const CounterRecord& record, Time now) {
  constexpr size_t kHead = 1 + sizeof(uint64_t);
  if (record.bytes.size() < kHead || record.bytes[0] != kCounterFormat) return false;
  uint64_t rule_id = 0;
  std::memcpy(&rule_id, record.bytes.data() + 1, sizeof rule_id);
  {
    Stripe& here = stripe(record.key);
    const std::lock_guard guard(here.mutex);
    const auto index = here.config->index_of(rule_id);
    if (!index) return false;
    Window window(record.key);
    const CompiledRule& rule = here.config->rules[*index];
    if (!window.load(std::string_view(record.bytes).substr(kHead))) return false;
    if (!window.advance(rule.shape, now)) return false;
    window.rule = *index;
    erase_window(here, record.key);
    windows_.fetch_add(window.weight(), std::memory_order_relaxed);
    *here.windows.insert(record.key).first = std::move(window);
  }
  make_room(record.key, now);
  return true;
}

void Engine::Impl::touch_counters() {
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    const std::lock_guard guard(stripes_[i].mutex);
    stripes_[i].changed.reserve(stripes_[i].changed.size() + stripes_[i].windows.size());
    for (size_t w = 0; w < stripes_[i].windows.size(); ++w)
      touch(stripes_[i], stripes_[i].windows.at(w));
  }
}

std::vector<CounterRecord> Engine::Impl::take_changed_counters() {
  std::vector<CounterRecord> records;
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    Stripe& here = stripes_[i];
    const std::lock_guard guard(here.mutex);
    for (const uint64_t key : here.changed) {
      CounterRecord& record = records.emplace_back();
      record.key = key;
      Window* window = here.windows.find(key);
      if (window == nullptr) continue;
      window->changed = false;
      const CompiledRule& rule = here.config->rules[window->rule];
      record.bytes.push_back(static_cast<char>(kCounterFormat));
      record.bytes.append(reinterpret_cast<const char*>(&rule.id), sizeof rule.id);
      window->save(record.bytes, rule.rule.count == Count::kDistinctPasswords);
    }
    here.changed.clear();
    here.changed.shrink_to_fit();
  }
  return records;
}

uint64_t Engine::Impl::append(const Change& change) noexcept {
  if (journal_ == nullptr) return 0;
  try {
    return journal_->append(change);
  } catch (const std::bad_alloc&) {
    return journal_->append_unsaid();
  }
}

uint64_t Engine::Impl::append(const Lock& lock) noexcept {
  if (journal_ == nullptr) return 0;
  try {
    return journal_->append(record_of(lock));
  } catch (const std::bad_alloc&) {
    return journal_->append_unsaid();
  }
}

LockRecord Engine::Impl::record_of(const Lock& lock) {
  return {lock.key, lock.rule_id, lock.subject, lock.reason, lock.until, lock.lasts, lock.level};
}

std::vector<Change> Engine::Impl::durable_state(Time now) const {
  std::vector<Change> changes;
  for (uint64_t i = 0; i <= stripe_mask_; ++i) {
    const Stripe& here = stripes_[i];
    const std::lock_guard guard(here.mutex);
    for (size_t l = 0; l < here.locks.size(); ++l) {
      const Lock& lock = here.locks.at(l);
      if (is_stored(lock) && now < lock.end(now) + kGrowthMemory)
        changes.emplace_back(record_of(lock));
    }
    for (size_t f = 0; f < here.familiar.size(); ++f)
      for (const auto& place : here.familiar.at(f).places)
        changes.emplace_back(FamiliarRecord{here.familiar.at(f).key, place.network, place.last});
  }
  return changes;
}

}  // namespace saslatch::policy
