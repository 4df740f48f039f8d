#include <algorithm>

#include "daemon/control/command_json.h"
#include "daemon/policy/subject.h"

namespace saslatch::control {
namespace {

bool spares_familiar(const policy::Settings& settings, std::string_view rule) {
  return std::any_of(settings.rules.begin(), settings.rules.end(),
                     [&](const policy::Rule& r) { return r.name == rule && r.spare_familiar; });
}

Json lock_json(const policy::LockInfo& lock, const policy::Settings& settings, Now now) {
  Json one{
      {"subject", lock.subject},      {"rule", lock.rule},
      {"until", rfc3339(lock.until)}, {"left_seconds", seconds_between(now.policy, lock.until)},
      {"level", lock.level},          {"spares_familiar", spares_familiar(settings, lock.rule)}};
  if (!lock.reason.empty()) one["reason"] = lock.reason;
  return one;
}

// The rule of `unlock` events: an administrator's lock has none.
std::string audited_rule(const std::string& rule) {
  return rule == policy::kAdministrator ? "" : rule;
}

Json rule_json(const policy::RuleState& state, Now now) {
  Json one{{"rule", state.rule},
           {"subject", state.subject},
           {"count", policy::to_string(state.count)},
           {"then", policy::to_string(state.then)},
           {"counted", state.counted},
           {"pending", state.pending},
           {"limit", state.limit.events},
           {"window_seconds",
            std::chrono::duration_cast<std::chrono::seconds>(state.limit.window).count()},
           {"level", state.level}};
  if (state.together) one["counted_together"] = *state.together;
  if (state.until && *state.until > now.policy) {
    one["until"] = rfc3339(*state.until);
    one["left_seconds"] = seconds_between(now.policy, *state.until);
  }
  return one;
}

// What would meet an attempt of this subject now: the lock, or the refusing rule, that ends last.
Json verdict(const policy::Explanation& held, const policy::Settings& settings, Now now) {
  Json verdict{{"refused", false}};
  policy::Time last{};
  const auto strikes = [&](const std::string& rule, policy::Time until, bool locked) {
    if (until <= now.policy || until < last) return;
    last = until;
    verdict = Json{{"refused", true},
                   {"cause", locked ? "locked" : "rate"},
                   {"rule", rule},
                   {"until", rfc3339(until)},
                   {"left_seconds", seconds_between(now.policy, until)},
                   {"spares_familiar", spares_familiar(settings, rule)}};
  };
  if (settings.mode == policy::Mode::kObserve) return verdict;
  for (const auto& lock : held.locks) strikes(lock.rule, lock.until, true);
  for (const auto& rule : held.rules) {
    if (rule.then == policy::Then::kRefuse && rule.until) strikes(rule.rule, *rule.until, false);
  }
  return verdict;
}

// What an administrator who wonders about the figures should know of the subject.
Json notes(const policy::Subject& subject, const policy::Engine& engine,
           const policy::Settings& settings) {
  Json notes = Json::array();
  if (settings.mode == policy::Mode::kObserve) {
    notes.push_back("[policy] mode is observe: nobody is refused, and rules lock nobody");
  }
  if (!subject.network) return notes;
  const IpAddress& address = subject.network->address();
  if (engine.is_trusted(address)) {
    notes.push_back("in [policy] trusted: never counted and never refused");
  } else if (std::any_of(settings.shared.begin(), settings.shared.end(),
                         [&](const Network& n) { return n.contains(address); })) {
    notes.push_back("in [policy] shared: counted for each account only, not by address");
  }
  return notes;
}

// "every 10 minutes", of what was tried `count` times.
std::string how_often(const SpentTries& tries) {
  if (tries.count < 2) return ", once, at " + rfc3339(tries.last);
  const auto mean = std::chrono::duration_cast<std::chrono::seconds>(tries.last - tries.first) /
                    static_cast<int64_t>(tries.count - 1);
  const auto every = [](int64_t number, const std::string& unit) {
    if (number <= 1) return " every " + unit;
    return " every " + std::to_string(number) + " " + unit + "s";
  };
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 3600;
  const int64_t seconds = mean.count();
  if (seconds < 90) return every(seconds, "second");
  if (seconds < 90 * kMinute) return every((seconds + kMinute / 2) / kMinute, "minute");
  return every((seconds + kHour / 2) / kHour, "hour");
}

// "revoked code 'Old phone' is still tried from 203.0.113.7 every 10 minutes".
std::string sentence(const SpentTries& tries, bool names_account) {
  using Why = passdb::Spent::Why;
  const size_t blank = tries.credential.find(' ');
  const std::string code =
      "code '" + (blank == std::string::npos ? "" : tries.credential.substr(blank + 1)) + "'";
  std::string text;
  switch (tries.why) {
    case Why::kRevoked:
      text = "revoked " + code + " is still tried";
      break;
    case Why::kExpired:
      text = "expired " + code + " is still tried";
      break;
    case Why::kService:
      text = code + " is tried for a service that it was not made for,";
      break;
    case Why::kNetwork:
      text = code + " is tried where it was not made for,";
      break;
    case Why::kOldPassword:
      text = "an old main password is still tried";
      break;
    case Why::kMainPassword:
      text = "the main password is tried where only codes let in,";
      break;
  }
  text += " from " + (tries.rip ? tries.rip->to_string() : std::string("an unknown source"));
  if (names_account) text += " as " + tries.account;
  return text + how_often(tries);
}

// What is tried again and again though it lets nobody in.
void explain_spent(const policy::Subject& subject, const StaleWatch& watch, Now now, Json& notes,
                   Json& spent) {
  const bool names = subject.by == policy::By::kUser || subject.by == policy::By::kUserNetwork;
  if (!names && !subject.network) return;
  constexpr size_t kMostTold = 20;
  const auto all = watch.tries(names ? std::optional<std::string_view>(subject.user) : std::nullopt,
                               subject.network, now.wall);
  for (const SpentTries& tries : all) {
    if (spent.size() == kMostTold) break;
    notes.push_back(sentence(tries, !names));
    spent.push_back({{"user", tries.account},
                     {"credential", tries.credential},
                     {"why", to_string(tries.why)},
                     {"rip", tries.rip ? tries.rip->to_string() : ""},
                     {"first", rfc3339(tries.first)},
                     {"last", rfc3339(tries.last)},
                     {"count", tries.count}});
  }
}

}  // namespace

Outcome run_lock_list(const Parts& parts, const Call& call) {
  size_t limit = Commands::kMostListed;
  if (const auto wanted = call.request.find("limit"); wanted != call.request.end()) {
    if (!wanted->is_number_unsigned()) {
      return refuse(kExitUsage, "the field 'limit' must be a number, 0 or more");
    }
    limit = std::min<size_t>(wanted->get<size_t>(), Commands::kMostListed);
  }
  const auto locks = parts.engine.locks(call.now.policy);
  const auto settings = parts.engine.settings();
  Json listed = Json::array();
  for (size_t i = 0; i < std::min(limit, locks.size()); ++i) {
    listed.push_back(lock_json(locks[i], *settings, call.now));
  }
  return Json{{"total", locks.size()}, {"locks", std::move(listed)}};
}

Outcome run_lock_add(const Parts& parts, const Call& call) {
  const auto subject = required_subject(call.request, parts.daemon);
  if (!subject) return tl::unexpected<Refused>(subject.error());
  if (subject->by == policy::By::kPassword || subject->by == policy::By::kEveryone) {
    return refuse(kExitBadData,
                  "an administrator locks user:NAME, ip:ADDR, network:CIDR or "
                  "user+network:NAME,CIDR, not '" +
                      subject->to_string() + "'");
  }
  const auto reason = required_text(call.request, "reason");
  if (!reason) return tl::unexpected<Refused>(reason.error());
  if (reason->size() > Commands::kMaxReason) {
    return refuse(kExitBadData,
                  "the reason is longer than " + std::to_string(Commands::kMaxReason) + " bytes");
  }
  constexpr auto kLongest = std::chrono::duration_cast<std::chrono::seconds>(policy::kMaxLock);
  const auto lasts = call.request.find("for_seconds");
  if (lasts == call.request.end() || !lasts->is_number_unsigned() || lasts->get<uint64_t>() == 0 ||
      lasts->get<uint64_t>() > static_cast<uint64_t>(kLongest.count())) {
    return refuse(kExitBadData, "a lock lasts from 1 s to 365 d");
  }
  const std::chrono::seconds duration(lasts->get<int64_t>());
  const uint64_t stored = parts.engine.add_lock(*subject, duration, *reason, call.now.policy);
  if (stored != 0) parts.daemon.wait_until_stored(stored);
  const policy::Time until = call.now.policy + duration;
  parts.audit.write(
      LockEvent{call.now.wall, subject->to_string(), "", until, 1, call.peer.name, *reason});
  return Json{{"subject", subject->to_string()},
              {"until", rfc3339(until)},
              {"left_seconds", duration.count()}};
}

Outcome run_lock_clear(const Parts& parts, const Call& call) {
  const auto all = call.request.find("all");
  if (all != call.request.end() && *all != Json(true)) {
    return refuse(kExitUsage, "the field 'all' must be true where it is given");
  }
  if (all != call.request.end() && call.request.contains("subject")) {
    return refuse(kExitUsage, "'lock clear' takes a subject or all, not both");
  }
  std::vector<policy::LockInfo> cleared;
  Json reply = Json::object();
  if (all != call.request.end()) {
    cleared = parts.engine.clear_all(call.now.policy);
  } else {
    const auto subject = required_subject(call.request, parts.daemon);
    if (!subject) return tl::unexpected<Refused>(subject.error());
    reply["subject"] = subject->to_string();
    cleared = parts.engine.clear(*subject, call.now.policy);
  }
  parts.daemon.wait_until_all_stored();
  reply["cleared"] = cleared.size();
  parts.metrics.locks_cleared.add(cleared.size());
  for (const policy::LockInfo& lock : cleared) {
    parts.audit.write(
        UnlockEvent{call.now.wall, lock.subject, audited_rule(lock.rule), call.peer.name});
  }
  return reply;
}

Outcome run_explain(const Parts& parts, const Call& call) {
  const auto subject = required_subject(call.request, parts.daemon);
  if (!subject) return tl::unexpected<Refused>(subject.error());
  policy::Explanation held = parts.engine.explain(*subject, call.now.policy);
  const bool is_shared = !held.together.holds.empty();
  bool is_together = false;
  if (is_shared) {
    const policy::SharedReply all = parts.daemon.ask_together(held.together);
    is_together = all.verdict == policy::SharedReply::Verdict::kFree;
    held.join(all, call.now.policy);
  }
  const auto settings = parts.engine.settings();
  Json reply{{"subject", held.subject}, {"verdict", verdict(held, *settings, call.now)}};
  reply["notes"] = notes(*subject, parts.engine, *settings);
  if (is_together) {
    reply["notes"].push_back(
        "what all hosts have counted together; the last attempts are of this "
        "host");
  } else if (is_shared) {
    reply["notes"].push_back(
        "the shared state does not answer: only what this host has counted, "
        "and locks as far as it has heard of them");
  }
  Json spent = Json::array();
  if (parts.stale != nullptr) {
    explain_spent(*subject, *parts.stale, call.now, reply["notes"], spent);
  }
  reply["locks"] = Json::array();
  for (const auto& lock : held.locks) {
    reply["locks"].push_back(lock_json(lock, *settings, call.now));
  }
  reply["rules"] = Json::array();
  for (const auto& rule : held.rules) reply["rules"].push_back(rule_json(rule, call.now));
  reply["familiar"] = Json::array();
  for (const auto& familiar : held.familiar) {
    reply["familiar"].push_back(
        {{"network", familiar.network}, {"last_success", rfc3339(familiar.last_success)}});
  }
  reply["attempts"] = Json::array();
  for (const auto& attempt : held.attempts) {
    Json one{{"at", rfc3339(attempt.at)},
             {"user", attempt.user},
             {"rip", attempt.rip},
             {"outcome", attempt.outcome}};
    if (!attempt.rule.empty()) one["rule"] = attempt.rule;
    reply["attempts"].push_back(std::move(one));
  }
  reply["spent_credentials"] = std::move(spent);
  return reply;
}

Outcome run_note_change(const Parts& parts, const Call& call) {
  if (!call.peer.may_change) {
    return refuse(kExitPermission,
                  "'note change' is for root and the daemon's user; this is " + call.peer.name);
  }
  const auto change = required_text(call.request, "change");
  if (!change) return tl::unexpected<Refused>(change.error());
  const auto target = required_text(call.request, "target");
  if (!target) return tl::unexpected<Refused>(target.error());
  const auto by = required_text(call.request, "by");
  if (!by) return tl::unexpected<Refused>(by.error());
  constexpr std::string_view kChanges[] = {"code add",     "code revoke", "user main-password",
                                           "user add",     "user passwd", "user enable",
                                           "user disable", "user delete", "user import"};
  if (std::find(std::begin(kChanges), std::end(kChanges), *change) == std::end(kChanges)) {
    return refuse(kExitBadData, "'change' is a command of saslatch that changes users.db");
  }
  parts.daemon.users_changed();
  parts.audit.write(AdminEvent{call.now.wall, *change, *target, *by, true, ""});
  return Json::object();
}

}  // namespace saslatch::control
