#include "tests/daemon/policy/world.h"

#include <cstdio>
#include <stdexcept>

namespace saslatch::policy {

void Tally::add(const Try& one) {
  in += one.in() ? 1 : 0;
  wrong += one.wrong() ? 1 : 0;
  refused += one.refused() ? 1 : 0;
  held += one.settled.hold > Duration(0) ? 1 : 0;
}

World::World(std::vector<Rule> rules, Settings settings, Journal* journal, uint8_t process)
    : now(std::chrono::sys_days(std::chrono::year(2030) / 1 / 1)) {
  settings.rules = std::move(rules);
  for (const std::string& error : errors(settings)) throw std::invalid_argument(error);
  CountingRandom random(process);
  engine = std::make_unique<Engine>(std::move(settings), HashKey{1, 2, 3}, random, journal);
}

Decision World::reserve(const Login& login, const Waiter& waiter) {
  AttemptFacts facts;
  facts.user = login.user;
  facts.rip = IpAddress::parse(login.rip);
  if (login.shown) facts.password = login.password;
  return engine->reserve(facts, now, [&waiter] { return waiter; });
}

Outcome World::verify(const Login& login) const {
  const auto alias = aliases_.find(login.user);
  const auto account = passdb_.find(alias == aliases_.end() ? login.user : alias->second);
  if (account == passdb_.end()) return Outcome::kUnknownUser;
  return account->second == login.password ? Outcome::kSuccess : Outcome::kBadCredential;
}

Try World::login(const Login& login) {
  Try result;
  Decision decision = reserve(login);
  if (const auto alias = aliases_.find(login.user);
      alias != aliases_.end() && decision.verdict == Verdict::kAllow) {
    Ticket ticket = std::move(decision.ticket);
    Decision account = engine->admit_account(ticket, alias->second, now, nullptr);
    if (!account.would) account.would = decision.would;
    decision = std::move(account);
    decision.ticket = std::move(ticket);
  }
  result.verdict = decision.verdict;
  result.familiar = decision.familiar;
  result.hit = decision.hit;
  result.would = decision.would;
  if (decision.verdict != Verdict::kAllow) return result;
  result.outcome = verify(login);
  result.settled = engine->settle(std::move(decision.ticket), result.outcome, now);
  if (!result.would) result.would = result.settled.would;
  return result;
}

Tally World::rush(const std::vector<Login>& logins, size_t workers) {
  struct Running {
    const Login* login;
    Ticket ticket;
  };
  Tally tally;
  std::deque<const Login*> arriving;
  for (const Login& login : logins) arriving.push_back(&login);
  std::vector<bool> has_waited(logins.size());
  std::deque<Running> running;
  size_t parked = 0;
  while (!arriving.empty() || !running.empty()) {
    while (!arriving.empty() && running.size() < workers) {
      const Login* login = arriving.front();
      arriving.pop_front();
      Decision decision = reserve(*login, [&arriving, &parked, login] {
        arriving.push_back(login);
        --parked;
      });
      switch (decision.verdict) {
        case Verdict::kAllow:
          running.push_back({login, std::move(decision.ticket)});
          break;
        case Verdict::kRefuse:
          ++tally.refused;
          break;
        case Verdict::kWait:
          ++parked;
          has_waited[static_cast<size_t>(login - logins.data())] = true;
          break;
        case Verdict::kOverload:
          ++tally.hanging;
          break;
      }
    }
    if (running.empty()) continue;
    Running done = std::move(running.front());
    running.pop_front();
    Try result;
    result.outcome = verify(*done.login);
    result.settled = engine->settle(std::move(done.ticket), result.outcome, now);
    tally.add(result);
  }
  tally.hanging += parked;
  for (const bool waited : has_waited) tally.waited += waited ? 1 : 0;
  return tally;
}

void World::know(const std::string& user, const std::string& rip) {
  Decision decision = reserve({user, "right password of " + user, rip});
  if (decision.verdict != Verdict::kAllow) throw std::logic_error(user + " is refused");
  (void)engine->settle(std::move(decision.ticket), Outcome::kSuccess, now);
}

Rule rule(std::string name, Count count, By by, uint32_t events, Duration window, Then then,
          Duration lasts) {
  Rule rule;
  rule.name = std::move(name);
  rule.count = count;
  rule.by = by;
  rule.limit = {events, window};
  rule.then = then;
  rule.lasts = lasts;
  return rule;
}

std::string address(const std::string& base, uint32_t n) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (std::sscanf(base.c_str(), "%u.%u.%u.%u", &a, &b, &c, &d) != 4)
    throw std::invalid_argument(base);
  const uint32_t sum = (a << 24 | b << 16 | c << 8 | d) + n;
  return std::to_string(sum >> 24) + "." + std::to_string(sum >> 16 & 255) + "." +
         std::to_string(sum >> 8 & 255) + "." + std::to_string(sum & 255);
}

}  // namespace saslatch::policy
