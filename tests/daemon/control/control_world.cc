#include "tests/daemon/control/control_world.h"

#include "daemon/session/username.h"

namespace saslatch::control {
namespace {

using namespace std::chrono_literals;

constexpr Wall kStart = std::chrono::sys_days(std::chrono::year(2026) / 7 / 1) + 9h + 30min;

policy::Settings settings() {
  policy::Settings settings;
  policy::Rule account;
  account.name = "guess-account";
  account.limit = {3, 10min};
  account.lasts = 5min;
  account.growing = policy::Growth{2, 1h};
  account.spare_familiar = true;
  policy::Rule address;
  address.name = "rate-address";
  address.by = policy::By::kIp;
  address.limit = {4, 10min};
  address.then = policy::Then::kRefuse;
  settings.rules = {account, address};
  settings.trusted = {*Network::parse("192.0.2.8/32")};
  return settings;
}

}  // namespace

ControlWorld::ControlWorld()
    : now_{Mono(1h), kStart, kStart},
      engine_(settings(), policy::HashKey{}, random_),
      commands_(Parts{*this, engine_, metrics_, *this, &stale}) {
  daemon.pid = 4711;
  daemon.started = kStart - 26h;
  daemon.config = "/etc/saslatch/saslatch.conf";
  daemon.config_loaded = kStart - 2h;
  daemon.user = "saslatch";
  daemon.policy_mode = "enforce";
  daemon.preset = "small-site";
  daemon.listeners = {{"postfix",
                       "dovecot",
                       "/var/spool/postfix/private/saslatch",
                       {"/var/spool/postfix/private/saslatch"},
                       false,
                       true,
                       12}};
  daemon.passdbs = {{"embedded", "embedded", true, "", 3}};
  daemon.state = {"/var/lib/saslatch/state.db", ""};
  daemon.audit = {"/var/log/saslatch/audit.jsonl", ""};
}

void ControlWorld::advance(std::chrono::milliseconds by) {
  now_.mono += by;
  now_.wall += by;
  now_.policy += by;
}

void ControlWorld::login(std::string_view user, std::string_view rip, bool right) {
  AuthEvent event;
  event.outcome = right ? AuthOutcome::kOk : AuthOutcome::kFail;
  if (!right) event.cause = AuthCause::kBadCredential;
  event.mech = "PLAIN";
  event.listener = "postfix";
  event.took = 30ms;
  // Each wrong password is another one: a repetition would not count.
  const std::string password =
      "password of " + std::to_string(now_.mono.time_since_epoch().count());
  const policy::AttemptFacts facts{user, IpAddress::parse(rip), password};
  policy::Decision decision = engine_.reserve(facts, now_.policy, {});
  if (decision.verdict == policy::Verdict::kAllow) {
    engine_.settle(std::move(decision.ticket),
                   right ? policy::Outcome::kSuccess : policy::Outcome::kBadCredential,
                   now_.policy);
  } else {
    event.outcome = AuthOutcome::kRefused;
    event.cause = AuthCause::kLocked;
  }
  metrics_.count(event);
  advance(1s);
}

std::string ControlWorld::next_event() {
  if (events_.empty()) return "";
  std::string line = std::move(events_.front());
  events_.pop_front();
  line.pop_back();
  return line;
}

std::optional<std::string> ControlWorld::normalise(std::string_view name) const {
  UsernameRules rules;
  rules.allow("abcdefghijklmnopqrstuvwxyz0123456789.-_@+");
  return normalise_username(name, rules);
}

}  // namespace saslatch::control
