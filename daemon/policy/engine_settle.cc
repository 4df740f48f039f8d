// What becomes of a verified attempt: events, trips, locks, what a success gives back.
#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "daemon/policy/engine_impl.h"

namespace saslatch::policy {
namespace {

// How often a familiar network's last success is written again: a 64th of its life, so that a
// login rarely waits for a disk and a crash costs a familiar network little of its time.
constexpr int kFamiliarRefresh = 64;

const char* word_for(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSuccess:
      return "ok";
    case Outcome::kBadCredential:
      return "bad-credential";
    case Outcome::kUnknownUser:
      return "unknown-user";
    case Outcome::kOurTrouble:
      break;
  }
  return "temporary";
}

// False: memory ended in it.
template <typename Work>
bool has_memory_for(const Work& work) noexcept {
  try {
    work();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

Duration lasts_at(const Rule& rule, uint32_t level) {
  if (!rule.growing) return rule.lasts;
  const double cap = static_cast<double>(rule.growing->cap.count());
  const double grown = static_cast<double>(rule.lasts.count()) *
                       std::pow(rule.growing->factor, static_cast<double>(level - 1));
  return Duration(static_cast<Duration::rep>(std::min(grown, cap)));
}

}  // namespace

bool is_event(Count count, Outcome outcome) {
  const bool failed = outcome == Outcome::kBadCredential || outcome == Outcome::kUnknownUser;
  switch (count) {
    case Count::kAttempts:
      return failed || outcome == Outcome::kSuccess;
    case Count::kUnknownUsers:
      return outcome == Outcome::kUnknownUser;
    case Count::kFailures:
    case Count::kDistinctUsers:
    case Count::kDistinctPasswords:
      break;
  }
  return failed;
}

void Engine::Impl::recognise(Body& body, std::string_view credential) const {
  body.recognised = keyed_hash(fingerprint_key_, 1, credential) >> 16;
}

// Nothing of it throws: what there is no memory for is left out, and no reservation stays behind.
Settled Engine::Impl::settle(Body& body, Outcome outcome, Time now) noexcept {
  Settled settled;
  if (body.counted) {
    settled.hold = body.delayed;
    settled.would = std::move(body.delay);
  }
  Wakes wakes;
  for (const Hold& hold : body.holds) settle_hold(body, hold, outcome, now, settled, wakes);
  body.holds.clear();
  if (!settled.shared.empty()) {
    settled.shared.observes = body.config->observes();
    settled.shared.tag = body.tag;
    settled.shared.serial = body.serial;
  }
  const bool is_familiar_now = outcome == Outcome::kSuccess && !body.trusted && !body.user.empty();
  if (is_familiar_now && body.account_key != 0) {
    Stripe& theirs = stripe(body.account_key);
    const std::lock_guard guard(theirs.mutex);
    has_memory_for([&] {
      settled.journalled =
          std::max(settled.journalled, make_familiar(theirs, body.account_key, body, now));
    });
  }
  {
    Stripe& mine = stripe(body.user_key);
    const std::lock_guard guard(mine.mutex);
    if (is_familiar_now)
      has_memory_for([&] {
        settled.journalled =
            std::max(settled.journalled, make_familiar(mine, body.user_key, body, now));
      });
    remember(mine, body, now, word_for(outcome), {});
  }
  wake(wakes);
  make_room(body.user_key, now);
  if (body.config->observes())
    settled.hold = Duration(0);
  else
    settled.delayed = std::exchange(settled.would, std::nullopt);
  if (body.account_would) settled.would = std::move(body.account_would);
  return settled;
}

void Engine::Impl::settle_hold(Body& body, const Hold& hold, Outcome outcome, Time now,
                               Settled& settled, Wakes& wakes) noexcept {
  const Compiled& config = *body.config;
  const Group& group = config.groups[hold.group];
  const bool failed = outcome == Outcome::kBadCredential || outcome == Outcome::kUnknownUser;
  Stripe& here = stripe(hold.subject);
  const std::lock_guard guard(here.mutex);
  // What another host has met is a repetition here too; noted all the same.
  bool known = false;
  const auto note = [&settled](const auto& what) { settled.is_short |= !has_memory_for(what); };
  if (failed && group.remembers) note([&] { known = note_repeat(here, body, hold, now); });
  const bool repeat = known || (failed && hold.repeated);
  settled.repeat |= repeat;
  if (body.serial != 0) note([&] { settle_shared(body, hold, outcome, repeat, settled); });
  for (size_t i = 0; i < group.rules.size(); ++i) {
    if ((hold.applies >> i & 1) == 0) continue;
    const CompiledRule& rule = config.rules[group.rules[i]];
    const bool ignored = repeat && ignores_repetitions(rule.rule.count);
    if (is_event(rule.rule.count, outcome) && !ignored)
      note([&] { count_event(here, body, hold, group.rules[i], now, settled); });
    if (hold.held >> i & 1) release(here, body, hold, rule, wakes);
    if (rule.rule.then != Then::kDelay) continue;
    Window* window = here.windows.find(mix(hold.subject, rule.id));
    if (window != nullptr && advance(*window, rule, now))
      note([&] { delay(body, hold, rule, *window, now, settled); });
  }
  if (outcome == Outcome::kSuccess && group.of_account()) give_back_failures(here, body, hold, now);
}

// True if this subject has met the wrong password before; remembers it if one of its rules counts
// it, or if nothing but the audit log asks.
bool Engine::Impl::note_repeat(Stripe& here, const Body& body, const Hold& hold, Time now) {
  const auto key = body.repeat_key(hold);
  if (!key) return false;
  if (Repeat* known = here.repeats.find(*key)) {
    const bool repeat = is_remembered(*known, now);
    known->seen = seconds_of(now);
    return repeat;
  }
  const Compiled& config = *body.config;
  const Group& group = config.groups[hold.group];
  bool is_counted = false;
  bool is_counting = false;
  for (size_t i = 0; i < group.rules.size(); ++i) {
    if (!ignores_repetitions(config.rules[group.rules[i]].rule.count)) continue;
    is_counting = true;
    is_counted |= (hold.applies >> i & 1) != 0;
  }
  if (is_counting && !is_counted) return false;
  here.repeats.insert(*key).first->seen = seconds_of(now);
  repeats_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void Engine::Impl::count_event(Stripe& here, const Body& body, const Hold& hold, uint16_t index,
                               Time now, Settled& settled) {
  Window* window = window_for(here, *body.config, index, hold.subject);
  if (window == nullptr) return;  // the rule went at a reload
  const CompiledRule& rule = here.config->rules[window->rule];
  advance(*window, rule, now);
  const size_t before = window->weight();
  const uint32_t member = is_distinct(rule.rule.count) ? body.member_for(rule.rule.count) : 0;
  try {
    window->add(rule.shape, now, member, body.tag);
  } catch (const std::bad_alloc&) {
    if (window->empty()) erase_window(here, window->key);
    throw;
  }
  windows_.fetch_add(window->weight() - before, std::memory_order_relaxed);
  touch(here, *window);
  if (rule.rule.then != Then::kLock || window->count(rule.shape) < rule.shape.limit) return;
  trip(here, body, hold, rule, now, settled);
  erase_window(here, window->key);  // not before there is a lock in its place
}

void Engine::Impl::delay(const Body& body, const Hold& hold, const CompiledRule& rule,
                         const Window& window, Time now, Settled& settled) const {
  if (window.count(rule.shape) < rule.shape.limit || rule.rule.lasts <= settled.hold) return;
  settled.hold = rule.rule.lasts;
  settled.would = Hit{Cause::kDelay, rule.rule.name, body.subject_text(hold),
                      window.below_limit_at(rule.shape, now)};
}

void Engine::Impl::trip(Stripe& here, const Body& body, const Hold& hold, const CompiledRule& rule,
                        Time now, Settled& settled) {
  const bool observes = here.config->observes();
  const uint64_t key = mix(hold.subject, rule.id);
  const uint64_t lock_key = observes ? shadow_of(key) : key;
  const Lock* last = here.locks.find(lock_key);
  const bool grows = rule.rule.growing && last != nullptr && now < last->end(now) + kGrowthMemory;
  const uint32_t level = grows ? last->level + 1 : 1;
  const Duration lasts = lasts_at(rule.rule, level);
  Lock& lock = lock_for(here, lock_key, now + lasts);
  lock.rule_id = rule.id;
  lock.by = rule.rule.by;
  lock.shadow = observes;
  lock.level = level;
  lock.lasts = lasts;
  try {
    if (lock.subject.empty()) describe(lock, body.subject_text(hold), {});
    if (observes) return;
    settled.locks.push_back({rule.rule.name, lock.subject, lock.until, level});
    if (!is_stored(lock)) return;
    lock.journalled = append(lock);
  } catch (const std::bad_alloc&) {
    // It is in force, so that nobody may be told of it before it is on disk.
    if (observes || journal_ == nullptr) return;
    lock.journalled = journal_->append_unsaid();
  }
  settled.journalled = std::max(settled.journalled, lock.journalled);
}

// DESIGN 6.5: this network's failures, of the user's rules only. Rates (`attempts`) stay.
void Engine::Impl::give_back_failures(Stripe& here, const Body& body, const Hold& hold, Time now) {
  const Compiled& config = *body.config;
  for (const uint16_t index : config.groups[hold.group].rules)
    give_back_failures(here, hold.subject, config.rules[index], body.tag, now);
}

void Engine::Impl::give_back_failures(Stripe& here, uint64_t subject, const CompiledRule& rule,
                                      uint32_t tag, Time now) {
  if (rule.rule.count == Count::kAttempts) return;
  Window* window = here.windows.find(mix(subject, rule.id));
  if (window == nullptr) return;
  const size_t before = window->weight();
  const bool changed = window->give_back(tag);
  windows_.fetch_sub(before - window->weight(), std::memory_order_relaxed);
  if (!advance(*window, rule, now))
    erase_window(here, window->key);
  else if (changed)
    touch(here, *window);
}

uint64_t Engine::Impl::make_familiar(Stripe& here, uint64_t user_key, const Body& body, Time now) {
  const Settings& settings = *body.config->settings;
  if (settings.familiar_max == 0 || settings.familiar_for <= Duration(0)) return 0;
  Familiar& account = *here.familiar.insert(user_key).first;
  auto& places = account.places;
  auto place = std::find_if(places.begin(), places.end(), [&](const Familiar::Place& known) {
    return known.network == body.network;
  });
  const bool is_new = place == places.end();
  if (is_new) {
    insert_place(here, account, places.size(), {body.network, now, now, 0});
    familiar_.fetch_add(1, std::memory_order_relaxed);
  } else {
    std::rotate(place, place + 1, places.end());
  }
  Familiar::Place& newest = places.back();
  newest.last = now;
  const auto since = now - newest.journalled;
  if (is_new || since < Duration(0) || since > settings.familiar_for / kFamiliarRefresh) {
    newest.journalled = now;
    newest.number = append(FamiliarRecord{user_key, body.network, now});
  }
  const uint64_t number = newest.number;
  while (places.size() > settings.familiar_max) erase_place(here, account, 0);
  return number;
}

// Nobody is known without a place, so that a new account goes again where memory ends here.
void Engine::Impl::insert_place(Stripe& here, Familiar& account, size_t before,
                                const Familiar::Place& place) {
  try {
    account.places.insert(account.places.begin() + static_cast<std::ptrdiff_t>(before), place);
  } catch (const std::bad_alloc&) {
    if (account.places.empty()) here.familiar.erase(account.key);
    throw;
  }
}

}  // namespace saslatch::policy
