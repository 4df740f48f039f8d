// Counting together with other hosts: what they are asked and told, and what their answers change.
#include <algorithm>

#include "daemon/policy/engine_impl.h"

namespace saslatch::policy {
namespace {

// The rules that count the attempt, by their place in the group: what a SharedHold lists, in order.
template <typename Take>
void each_rule(const Compiled& config, const Hold& hold, Take take) {
  const Group& group = config.groups[hold.group];
  for (size_t i = 0; i < group.rules.size(); ++i)
    if (hold.applies >> i & 1) take(config.rules[group.rules[i]]);
}

}  // namespace

void Engine::Impl::share(const HashKey& fingerprint_key, Random& random) {
  fingerprint_key_ = fingerprint_key;
  serials_ = random.below(UINT64_MAX);
  shares_ = true;
}

SharedRule Engine::Impl::shared_shape(const CompiledRule& compiled) {
  SharedRule shared;
  shared.id = compiled.id;
  shared.count = compiled.rule.count;
  shared.then = compiled.rule.then;
  shared.limit = compiled.rule.limit.events;
  shared.window = compiled.rule.limit.window;
  shared.merge = compiled.shape.merge * kTick;
  return shared;
}

SharedRule Engine::Impl::shared_rule(const Body& body, const Hold& hold,
                                     const CompiledRule& compiled) {
  const Rule& rule = compiled.rule;
  SharedRule shared = shared_shape(compiled);
  if (hold.applies != 0 && rule.then != Then::kDelay)
    shared.token = body.token_for(hold, rule.count);
  if (is_distinct(rule.count) && body.is_visible_to(rule.count))
    shared.member = body.member_for(rule.count);
  return shared;
}

SharedRequest Engine::Impl::shared_request(const Body& body, bool account) const {
  SharedRequest request;
  if (body.serial == 0) return request;
  request.observes = body.config->observes();
  for (const Hold& hold : body.holds) {
    if (hold.account != account || hold.applies == 0) continue;
    SharedHold& shared = request.holds.emplace_back();
    shared.subject = hold.subject;
    if (body.config->groups[hold.group].remembers)
      shared.repeat = body.repeat_key(hold).value_or(0);
    each_rule(*body.config, hold, [&](const CompiledRule& rule) {
      shared.rules.push_back(shared_rule(body, hold, rule));
    });
  }
  return request;
}

Decision Engine::Impl::join(Ticket& ticket, const SharedReply& reply, bool account, Time now) {
  Body& body = *ticket.body_;
  Decision decision;
  decision.familiar = body.device || body.familiar || body.account_familiar;
  decision.trusted = body.trusted;
  if (reply.verdict == SharedReply::Verdict::kNoAnswer) return decision;
  if (reply.verdict == SharedReply::Verdict::kFull) {
    decision.verdict = Verdict::kWait;
    return decision;
  }
  // The holds of the request, and their rules, as indices count them.
  std::vector<Hold*> holds;
  for (Hold& hold : body.holds)
    if (hold.account == account && hold.applies != 0) holds.push_back(&hold);
  // Null where the answer is nonsense, which is like none.
  const auto rule_of = [&](const SharedReply::Counted& counted) -> const Rule* {
    if (counted.hold >= holds.size()) return nullptr;
    std::vector<const CompiledRule*> rules;
    each_rule(*body.config, *holds[counted.hold],
              [&](const CompiledRule& rule) { rules.push_back(&rule); });
    return counted.rule < rules.size() ? &rules[counted.rule]->rule : nullptr;
  };
  if (reply.verdict == SharedReply::Verdict::kStruck) {
    const Rule* const rule = rule_of(reply.struck);
    if (rule == nullptr) return decision;
    Refusal refusal{{rule->then == Then::kLock ? Cause::kLocked : Cause::kRate, rule->name,
                     body.subject_text(*holds[reply.struck.hold]), now + reply.struck.left, 0},
                    rule->answer};
    refuse(body, account, std::move(refusal), now, decision);
    if (decision.verdict == Verdict::kRefuse) ticket = Ticket();
    return decision;
  }
  for (size_t i = 0; i < holds.size(); ++i) {
    holds[i]->joined = true;
    holds[i]->repeated = i < 64 && (reply.repeats >> i & 1) != 0;
  }
  for (const SharedReply::Counted& delay : reply.delays) {
    const Rule* const rule = rule_of(delay);
    if (rule == nullptr || delay.events < rule->limit.events || rule->lasts <= body.delayed)
      continue;
    body.delayed = rule->lasts;
    body.delay =
        Hit{Cause::kDelay, rule->name, body.subject_text(*holds[delay.hold]), now + delay.left, 0};
  }
  return decision;
}

// What other hosts are told of one subject: which reservations end, what happened, what is given
// back.
void Engine::Impl::settle_shared(const Body& body, const Hold& hold, Outcome outcome, bool repeat,
                                 Settled& settled) const {
  const Compiled& config = *body.config;
  const Group& group = config.groups[hold.group];
  const bool failed = outcome == Outcome::kBadCredential || outcome == Outcome::kUnknownUser;
  const bool success = outcome == Outcome::kSuccess && group.of_account();
  SharedHold shared;
  shared.subject = hold.subject;
  if (failed && group.remembers) shared.repeat = body.repeat_key(hold).value_or(0);
  bool locks = false;
  for (size_t i = 0; i < group.rules.size(); ++i) {
    const CompiledRule& compiled = config.rules[group.rules[i]];
    const Rule& rule = compiled.rule;
    const bool applies = (hold.applies >> i & 1) != 0;
    SharedRule told = shared_rule(body, hold, compiled);
    if (!applies || !hold.joined) told.token = 0;
    told.is_event =
        applies && is_event(rule.count, outcome) && !(repeat && ignores_repetitions(rule.count));
    told.gives_back = success && rule.count != Count::kAttempts;
    if (applies && failed && ignores_repetitions(rule.count))
      shared.notes_repeat = shared.repeat != 0;
    if (told.token == 0 && !told.is_event && !told.gives_back) continue;
    told.lasts = rule.lasts;
    if (rule.growing) told.factor = rule.growing->factor, told.cap = rule.growing->cap;
    locks |= told.is_event && rule.then == Then::kLock;
    shared.rules.push_back(told);
  }
  if (shared.rules.empty() && !shared.notes_repeat) return;
  if (locks) shared.text = body.subject_text(hold);
  settled.shared.holds.push_back(std::move(shared));
}

// The reservations of an attempt that is not verified after all.
SharedSettlement Engine::Impl::releases(const Body& body) const {
  Settled none;
  for (const Hold& hold : body.holds)
    if (hold.joined) settle_shared(body, hold, Outcome::kOurTrouble, false, none);
  none.shared.observes = body.config->observes();
  none.shared.serial = body.serial;
  return std::move(none.shared);
}

std::optional<NewLock> Engine::Impl::learn(const Change& change, Time now) {
  const auto* const record = std::get_if<LockRecord>(&change);
  if (record == nullptr) {
    if (restore(change, now)) append(change);
    return std::nullopt;
  }
  LockRecord lock = *record;
  Stripe& here = stripe(lock.key);
  bool is_new = true;
  {
    const std::lock_guard guard(here.mutex);
    if (Lock* known = here.locks.find(lock.key)) {
      known->bound(now);
      if (known->until >= lock.until && known->level >= lock.level) return std::nullopt;
      is_new = !known->is_live(now) || known->level < lock.level;
      lock.until = std::max(lock.until, known->until);
      lock.level = std::max(lock.level, known->level);
    }
    erase_window(here, lock.key);  // what tripped a rule is used up
  }
  if (!restore_lock(lock, now)) return std::nullopt;
  std::optional<NewLock> found;
  {
    const std::lock_guard guard(here.mutex);
    if (Lock* known = here.locks.find(lock.key)) {
      if (is_stored(*known)) known->journalled = append(*known);
      const auto index = here.config->index_of(lock.rule_id);
      if (is_new && index)
        found = NewLock{here.config->rules[*index].rule.name, known->subject, known->until,
                        known->level};
    }
  }
  make_room(lock.key, now);
  return found;
}

void Engine::Impl::forget(uint64_t subject, Time now) {
  Stripe& here = stripe(subject);
  const std::lock_guard guard(here.mutex);
  const auto config = here.config;
  std::vector<LockInfo> cleared;
  clear_key(here, mix(subject, 0), *config, now, cleared);
  for (const CompiledRule& rule : config->rules)
    clear_key(here, mix(subject, rule.id), *config, now, cleared);
}

void Engine::Impl::use_up(uint64_t key) {
  Stripe& here = stripe(key);
  const std::lock_guard guard(here.mutex);
  erase_window(here, key);
}

void Engine::Impl::give_back_failures(uint64_t subject, uint32_t tag, Time now) {
  Stripe& here = stripe(subject);
  const std::lock_guard guard(here.mutex);
  const auto config = here.config;
  for (const CompiledRule& rule : config->rules) give_back_failures(here, subject, rule, tag, now);
}

std::optional<uint64_t> Engine::Impl::subject_of(const LockRecord& lock) const {
  const auto subject = Subject::parse(lock.subject);
  if (!subject) return std::nullopt;
  const auto key = key_of(*subject);
  if (!key || mix(*key, lock.rule_id) != lock.key) return std::nullopt;
  return key;
}

}  // namespace saslatch::policy
