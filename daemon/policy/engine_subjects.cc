// Whom an attempt concerns: subjects, their texts, administrators' locks, familiarity, history.
#include <algorithm>

#include "daemon/policy/engine_impl.h"

namespace saslatch::policy {

std::string Ticket::Body::subject_text(const Hold& hold) const {
  const Group& group = config->groups[hold.group];
  Subject subject;
  subject.by = group.by;
  subject.user = hold.account ? account : user;
  if (rip) subject.network = network_for(group, *rip);
  return subject.to_string();
}

uint64_t Ticket::Body::token_for(const Hold& hold, Count count) const {
  const uint64_t unlike_any = serial != 0 ? serial : reinterpret_cast<uintptr_t>(this);
  switch (count) {
    case Count::kAttempts:
      return unlike_any;  // each one counts, so none is shared
    case Count::kFailures:
    case Count::kUnknownUsers:
      return fingerprint ? mix(hold.who, *fingerprint) : unlike_any;
    case Count::kDistinctUsers:
      return user_key;
    case Count::kDistinctPasswords:
      break;
  }
  return fingerprint.value_or(unlike_any);
}

std::optional<uint64_t> Ticket::Body::repeat_key(const Hold& hold) const {
  const std::optional<uint64_t> known = fingerprint ? fingerprint : recognised;
  if (!known) return std::nullopt;
  const Group& group = config->groups[hold.group];
  return mix(hold.subject, mix(mix(hold.who, *known), group.kind()));
}

uint32_t Engine::Impl::tag_of(const std::optional<Network>& network) const {
  const auto tag = static_cast<uint32_t>(keys_.user_network(0, network));
  return tag == 0 ? 1 : tag;  // 0 is the tag of a cell that holds several networks
}

std::optional<uint64_t> Engine::Impl::subject_of(const Group& group, const Body& body,
                                                 bool account) const {
  const uint64_t who = account ? body.account_key : body.user_key;
  switch (group.by) {
    case By::kIp:
    case By::kNetwork:
      if (body.shared) return std::nullopt;
      return keys_.network(network_for(group, *body.rip));
    case By::kUser:
      if (body.user.empty()) return std::nullopt;
      return who;
    case By::kUserNetwork:
      if (body.user.empty()) return std::nullopt;
      return keys_.user_network(
          who, body.rip ? std::optional(network_for(group, *body.rip)) : std::nullopt);
    case By::kPassword:
      if (!body.fingerprint) return std::nullopt;
      return keys_.password(*body.fingerprint);
    case By::kEveryone:
      break;
  }
  return keys_.everyone();
}

std::optional<Hit> Engine::Impl::locked_by_hand(uint64_t subject, Time now) const {
  Stripe& here = stripe(subject);
  const std::lock_guard guard(here.mutex);
  Lock* lock = here.locks.find(mix(subject, 0));
  if (lock == nullptr) return std::nullopt;
  lock->bound(now);
  if (!lock->is_live(now)) return std::nullopt;
  return Hit{Cause::kLocked, std::string(kAdministrator), lock->subject, lock->end(now),
             lock->journalled};
}

// An administrator's lock strikes everybody: familiar, shared and trusted sources too.
std::optional<Hit> Engine::Impl::administrators_lock(const Body& body, bool account,
                                                     Time now) const {
  if (locks_by_hand_.load(std::memory_order_acquire) == 0) return std::nullopt;
  const uint64_t who = account ? body.account_key : body.user_key;
  const bool named = !body.user.empty();
  if (named)
    if (auto hit = locked_by_hand(who, now)) return hit;
  if (!body.rip) {
    if (named)
      if (auto hit = locked_by_hand(keys_.user_network(who, std::nullopt), now)) return hit;
    return locked_by_hand(keys_.everyone(), now);
  }
  const bool v4 = body.rip->is_v4();
  const int bits = v4 ? 32 : 128;
  for (int prefix = 0; prefix <= bits; ++prefix) {
    // Lone addresses are the usual case and always looked up.
    const auto& word = prefixes_[v4 ? 0 : 1 + static_cast<size_t>(prefix) / 64];
    const bool used = word.load(std::memory_order_acquire) >> (prefix % 64) & 1;
    if (!used && prefix != bits) continue;
    const Network network(*body.rip, prefix);
    if (auto hit = locked_by_hand(keys_.network(network), now)) return hit;
    if (named)
      if (auto hit = locked_by_hand(keys_.user_network(who, network), now)) return hit;
  }
  return locked_by_hand(keys_.everyone(), now);
}

bool Engine::Impl::is_familiar(const Stripe& here, uint64_t user_key,
                               const std::optional<Network>& network, const Settings& settings,
                               Time now) const {
  const Familiar* account = here.familiar.find(user_key);
  if (account == nullptr) return false;
  return std::any_of(account->places.begin(), account->places.end(),
                     [&](const Familiar::Place& place) {
                       return place.network == network && now - place.last < settings.familiar_for;
                     });
}

// History decides nothing: what there is no memory for is missing in it.
void Engine::Impl::remember(Stripe& here, const Body& body, Time now, const char* outcome,
                            const std::string& rule) const noexcept {
  const bool is_filled = here.past.size() == past_per_stripe_;
  try {
    if (!is_filled) here.past.emplace_back();
    Past& next = is_filled ? here.past[here.next_past] : here.past.back();
    next.user.reserve(body.user.size());
    next.rule.reserve(rule.size());
  } catch (const std::bad_alloc&) {
    if (!is_filled && !here.past.empty() && here.past.back().outcome[0] == '\0')
      here.past.pop_back();
    return;
  }
  if (!is_filled) here.next_past = here.past.size() - 1;
  Past& past = here.past[here.next_past];
  here.next_past = (here.next_past + 1) % past_per_stripe_;
  past.at = now;
  past.user_key = body.user_key;
  past.account_key = body.account_key;
  past.user = body.user;
  past.rip = body.rip;
  past.outcome = outcome;
  past.rule = rule;
}

}  // namespace saslatch::policy
