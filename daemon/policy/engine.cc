#include "daemon/policy/engine.h"

#include <algorithm>
#include <utility>

#include "daemon/policy/engine_impl.h"

namespace saslatch::policy {
namespace {

// An attempt parks once at a time, and not longer than max-hold; this is far beyond what the queue
// of checks lets in, and bounds what attempts that gave up leave behind.
constexpr size_t kMaxWaiting = 100'000;
// RFC 5321, section 4.5.3.1: a path has 256 octets. What is longer is shortened where it is shown,
// never where it is counted.
constexpr size_t kShownName = 256;

std::string shortened(std::string_view name) {
  if (name.size() <= kShownName) return std::string(name);
  return std::string(name.substr(0, kShownName)) + "...";
}

}  // namespace

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::kLocked:
      return "locked";
    case Cause::kRate:
      return "rate";
    case Cause::kDelay:
      break;
  }
  return "delay";
}

Ticket::Ticket() noexcept = default;
Ticket::Ticket(Ticket&& other) noexcept = default;
Ticket::~Ticket() {
  if (body_) body_->engine->give_back(*body_);
}
Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  if (body_) body_->engine->give_back(*body_);
  body_ = std::move(other.body_);
  return *this;
}

Decision Engine::Impl::reserve(const AttemptFacts& facts, Time now, const WaiterSource& waiter) {
  auto body = std::make_unique<Body>();
  body->engine = this;
  body->user = shortened(facts.user);
  body->user_key = keys_.user(facts.user);
  body->rip = facts.rip;
  // 48 bits: enough that no two passwords of a site meet, too few to be worth anything elsewhere.
  if (facts.password) body->fingerprint = keyed_hash(fingerprint_key_, 0, *facts.password) >> 16;
  {
    Stripe& mine = stripe(body->user_key);
    const std::lock_guard guard(mine.mutex);
    body->config = mine.config;
    const Settings& settings = *body->config->settings;
    if (body->rip) {
      body->network = body->config->network_of(*body->rip);
      body->trusted = is_in(settings.trusted, *body->rip);
    }
    body->shared = !body->rip || is_in(settings.shared, *body->rip);
    body->device = facts.device_used && now - *facts.device_used < settings.familiar_for;
    body->familiar = is_familiar(mine, body->user_key, body->network, settings, now);
    if (shares_) body->serial = mix(mix(serials_, body->user_key), ++mine.attempts) | 1;
  }
  body->counted = !body->trusted;
  body->tag = tag_of(body->network);
  return decide(body, false, now, waiter);
}

Decision Engine::Impl::admit_account(Ticket& ticket, std::string_view account, Time now,
                                     const WaiterSource& waiter) {
  Body& body = *ticket.body_;
  const uint64_t account_key = keys_.user(account);
  if (account_key == body.user_key) {
    Decision same;
    same.familiar = body.device || body.familiar;
    same.trusted = body.trusted;
    return same;
  }
  body.account = shortened(account);
  body.account_key = account_key;
  {
    Stripe& theirs = stripe(account_key);
    const std::lock_guard guard(theirs.mutex);
    body.account_familiar =
        is_familiar(theirs, account_key, body.network, *body.config->settings, now);
  }
  Decision decision = decide(ticket.body_, true, now, waiter);
  if (decision.verdict == Verdict::kRefuse) ticket = Ticket();
  return decision;
}

// The common way of reserve() and admit_account(). On kAllow of a first attempt `body` moves into
// the decision's ticket; an account's stays with its caller.
Decision Engine::Impl::decide(std::unique_ptr<Body>& body, bool account, Time now,
                              const WaiterSource& waiter) {
  Decision decision;
  decision.familiar = body->device || body->familiar || body->account_familiar;
  decision.trusted = body->trusted;
  const size_t before = body->holds.size();
  try {
    Refusal refusal;
    switch (take(*body, account, now, waiter, refusal)) {
      case Room::kFree:
        break;
      case Room::kRefused:
        refuse(*body, account, std::move(refusal), now, decision);
        if (decision.verdict == Verdict::kRefuse) return decision;
        break;
      case Room::kFull:
        give_back(*body, before);
        decision.verdict = Verdict::kWait;
        return decision;
      case Room::kOverload:
        give_back(*body, before);
        decision.verdict = Verdict::kOverload;
        return decision;
    }
  } catch (const std::bad_alloc&) {
    give_back(*body, before);
    throw;
  }
  if (!account) decision.ticket.body_ = std::move(body);
  return decision;
}

// What a refusal makes of the decision: in observe mode only what it would have been.
void Engine::Impl::refuse(Body& body, bool account, Refusal refusal, Time now, Decision& decision) {
  decision.shared = releases(body);
  // Somebody may have met these reservations in the meantime: he waits, and is woken.
  give_back(body);
  if (body.config->observes()) {
    body.counted = false;  // in enforce mode it would not have been verified
    if (account) body.account_would = refusal.hit;
    decision.would = std::move(refusal.hit);
    return;
  }
  {
    Stripe& mine = stripe(body.user_key);
    const std::lock_guard guard(mine.mutex);
    remember(mine, body, now, refusal.hit.cause == Cause::kRate ? "rate" : "locked",
             refusal.hit.rule);
  }
  decision.verdict = Verdict::kRefuse;
  decision.hit = std::move(refusal.hit);
  decision.answer = refusal.answer;
  decision.hold = body.delayed;
}

// Reserves on every subject, one stripe's lock at a time. Two attempts that meet take the subjects
// in the same order, and what the loser gives back wakes whoever waits for it.
Engine::Impl::Room Engine::Impl::take(Body& body, bool account, Time now,
                                      const WaiterSource& waiter, Refusal& refusal) {
  if (auto by_hand = administrators_lock(body, account, now)) {
    refusal.hit = std::move(*by_hand);
    return Room::kRefused;
  }
  if (!body.counted) return Room::kFree;
  Room result = Room::kFree;
  const auto& groups = body.config->groups;
  body.holds.reserve(body.holds.size() + groups.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    if (account && !groups[i].of_account()) continue;
    const uint64_t applies = rules_for(body, groups[i], account);
    // A success gives back what an account's rules have counted, those that spare it too.
    if (applies == 0 && !groups[i].of_account()) continue;
    const auto subject = subject_of(groups[i], body, account);
    if (!subject) continue;
    // In its place before it has a reservation: what memory ends in the middle of is given back.
    Hold& hold = body.holds.emplace_back(Hold{*subject, account ? body.account_key : body.user_key,
                                              static_cast<uint16_t>(i), account, applies});
    if (applies == 0) continue;
    // A refusal further on goes before waiting here: look on, without reserving.
    const bool only_look = result != Room::kFree;
    const Room room = enter(body, hold, now, only_look, waiter, refusal);
    if (room == Room::kFree && !only_look) continue;
    body.holds.pop_back();
    if (room == Room::kRefused) return room;
    if (room != Room::kFree) result = room;
  }
  return result;
}

// The group's rules that count the attempt: those that see it and do not spare it, as bits.
uint64_t Engine::Impl::rules_for(const Body& body, const Group& group, bool account) {
  uint64_t applies = 0;
  for (size_t i = 0; i < group.rules.size(); ++i) {
    const Rule& rule = body.config->rules[group.rules[i]].rule;
    const bool spared = rule.spare_familiar && body.is_familiar_for(account);
    if (!spared && body.is_visible_to(rule.count)) applies |= uint64_t{1} << i;
  }
  return applies;
}

// One subject: whether a rule that applies refuses, and the reservations.
Engine::Impl::Room Engine::Impl::enter(Body& body, Hold& hold, Time now, bool only_look,
                                       const WaiterSource& waiter, Refusal& refusal) {
  const Compiled& config = *body.config;
  const Group& group = config.groups[hold.group];
  Stripe& here = stripe(hold.subject);
  const std::lock_guard guard(here.mutex);
  for (size_t i = 0; i < group.rules.size(); ++i) {
    if ((hold.applies >> i & 1) == 0) continue;
    const CompiledRule& rule = config.rules[group.rules[i]];
    if (is_struck(here, body, hold, rule, now, refusal)) return Room::kRefused;
  }
  if (only_look) return Room::kFree;
  uint64_t wanted = 0;
  for (size_t i = 0; i < group.rules.size(); ++i) {
    if ((hold.applies >> i & 1) == 0) continue;
    const CompiledRule& rule = config.rules[group.rules[i]];
    switch (need_of(here, body, hold, rule, now)) {
      case Need::kNothing:
        continue;
      case Need::kReservation:
        break;
      case Need::kRoom:
        if (config.observes()) break;  // changes no answer, so nobody waits
        return park(here, mix(hold.subject, rule.id), waiter);
    }
    wanted |= uint64_t{1} << i;
  }
  for (size_t i = 0; i < group.rules.size(); ++i) {
    if ((wanted >> i & 1) == 0) continue;
    const CompiledRule& rule = config.rules[group.rules[i]];
    here.pending.insert(mix(hold.subject, rule.id))
        .first->take(body.token_for(hold, rule.rule.count));
    hold.held |= uint64_t{1} << i;
  }
  return Room::kFree;
}

// Whether a lock or a rate of `rule` refuses the attempt. A delay is noted in `body` and refuses
// nobody.
bool Engine::Impl::is_struck(Stripe& here, Body& body, const Hold& hold, const CompiledRule& rule,
                             Time now, Refusal& refusal) {
  const uint64_t key = mix(hold.subject, rule.id);
  if (rule.rule.then == Then::kLock) {
    if (here.locks.empty()) return false;
    Lock* lock = here.locks.find(key);
    if (lock != nullptr) lock->bound(now);
    if ((lock == nullptr || !lock->is_live(now)) && body.config->observes())
      lock = here.locks.find(shadow_of(key));
    if (lock == nullptr || !lock->is_live(now)) return false;
    refusal = {{Cause::kLocked, rule.rule.name, lock->subject, lock->end(now), lock->journalled},
               rule.rule.answer};
    return true;
  }
  Window* window = here.windows.find(key);
  if (window == nullptr || !advance(*window, rule, now)) return false;
  if (window->count(rule.shape) < rule.shape.limit) return false;
  Hit hit{rule.rule.then == Then::kDelay ? Cause::kDelay : Cause::kRate, rule.rule.name,
          body.subject_text(hold), window->below_limit_at(rule.shape, now), 0};
  if (hit.cause == Cause::kDelay) {
    if (rule.rule.lasts > body.delayed) body.delay = std::move(hit);
    body.delayed = std::max(body.delayed, rule.rule.lasts);
    return false;
  }
  refusal = {std::move(hit), rule.rule.answer};
  return true;
}

// Whether the attempt can become an event of `rule` that it is not yet, and if there is room for
// one more beside those that are counted or being verified.
Engine::Impl::Need Engine::Impl::need_of(Stripe& here, const Body& body, const Hold& hold,
                                         const CompiledRule& rule, Time now) {
  if (rule.rule.then == Then::kDelay) return Need::kNothing;  // it refuses nobody, ever
  const Count count = rule.rule.count;
  if (ignores_repetitions(count)) {
    const auto repeat_key = body.repeat_key(hold);
    const Repeat* repeat = repeat_key ? here.repeats.find(*repeat_key) : nullptr;
    if (repeat != nullptr && is_remembered(*repeat, now)) return Need::kNothing;
  }
  const uint64_t key = mix(hold.subject, rule.id);
  Window* window = here.windows.find(key);
  uint32_t counted = 0;
  if (window != nullptr && advance(*window, rule, now)) {
    if (is_distinct(count) && window->knows(body.member_for(count))) return Need::kNothing;
    counted = window->count(rule.shape);
  }
  Pending* pending = here.pending.find(key);
  if (pending == nullptr) return Need::kReservation;  // limit is at least 1 and not reached
  if (pending->find(body.token_for(hold, count)) != nullptr) return Need::kReservation;
  return counted + pending->distinct() < rule.shape.limit ? Need::kReservation : Need::kRoom;
}

Engine::Impl::Room Engine::Impl::park(Stripe& here, uint64_t key, const WaiterSource& waiter) {
  Pending* pending = here.pending.find(key);
  Wakes parked;
  parked.push_back(waiter ? waiter() : Waiter());
  if (!pending->waiters) pending->waiters = std::make_unique<Wakes>();
  if (waiting_.fetch_add(1, std::memory_order_relaxed) >= kMaxWaiting) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return Room::kOverload;
  }
  pending->waiters->splice(pending->waiters->end(), parked);
  return Room::kFull;
}

// Gives one reservation up. Wakes as many as there is room for, and all when nothing is being
// verified any more: of those woken some may be gone, and nobody may be left waiting for nothing.
void Engine::Impl::release(Stripe& here, const Body& body, const Hold& hold,
                           const CompiledRule& rule, Wakes& wakes) noexcept {
  const uint64_t key = mix(hold.subject, rule.id);
  Pending* pending = here.pending.find(key);
  if (pending == nullptr) return;
  pending->release(body.token_for(hold, rule.rule.count));
  const uint32_t verifying = pending->distinct();
  if (pending->waiters) {
    auto& waiters = *pending->waiters;
    const Window* window = here.windows.find(key);
    const uint32_t used = verifying + (window != nullptr ? window->count(rule.shape) : 0);
    size_t many = rule.shape.limit > used ? rule.shape.limit - used : 0;
    if (verifying == 0 || many > waiters.size()) many = waiters.size();
    const auto end = std::next(waiters.begin(), static_cast<std::ptrdiff_t>(many));
    wakes.splice(wakes.end(), waiters, waiters.begin(), end);
    if (waiters.empty()) pending->waiters.reset();
  }
  if (verifying == 0) here.pending.erase(key);
}

void Engine::Impl::wake(Wakes& wakes) noexcept {
  if (wakes.empty()) return;
  waiting_.fetch_sub(wakes.size(), std::memory_order_relaxed);
  for (const Waiter& waiter : wakes) {
    try {
      if (waiter) waiter();
    } catch (const std::bad_alloc&) {
      // He is answered when max-hold is over, at the latest.
    }
  }
  wakes.clear();
}

void Engine::Impl::give_back(Body& body, size_t from) noexcept {
  Wakes wakes;
  for (size_t i = from; i < body.holds.size(); ++i) {
    const Hold& hold = body.holds[i];
    if (hold.held == 0) continue;
    const Group& group = body.config->groups[hold.group];
    Stripe& here = stripe(hold.subject);
    const std::lock_guard guard(here.mutex);
    for (size_t r = 0; r < group.rules.size(); ++r)
      if (hold.held >> r & 1) release(here, body, hold, body.config->rules[group.rules[r]], wakes);
  }
  while (body.holds.size() > from) body.holds.pop_back();
  wake(wakes);
}

}  // namespace saslatch::policy
