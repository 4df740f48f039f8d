#include "tests/daemon/policy/scenarios/scenarios.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace saslatch::policy {
namespace {

constexpr const char* kOffice = "192.0.2.10";
constexpr const char* kWebmail = "127.0.0.1";

// An engine and a passdb of plain passwords; no thread, no socket.
class EngineSite final : public Site {
 public:
  explicit EngineSite(const std::vector<Rule>& rules) : world_(rules) {}

  void account(const std::string& user, const std::string& password) override {
    world_.account(user, password);
  }
  void login(const Login& login) override {
    const Try one = world_.login(login);
    Fate fate = Fate::kNoAnswer;
    if (one.in()) fate = one.settled.hold > Duration(0) ? Fate::kDelayed : Fate::kIn;
    if (one.wrong()) fate = Fate::kWrong;
    if (one.refused()) fate = Fate::kRefused;
    fates_.push_back(fate);
  }
  // Who gives up is verified nevertheless (DESIGN 6.2), so `how` makes no difference here.
  void rush(const std::vector<Login>& logins, Together /*how*/) override {
    const Tally tally = world_.rush(logins, kWorkers);
    fates_.insert(fates_.end(), tally.in - std::min(tally.in, tally.held), Fate::kIn);
    fates_.insert(fates_.end(), std::min(tally.in, tally.held), Fate::kDelayed);
    fates_.insert(fates_.end(), tally.wrong, Fate::kWrong);
    fates_.insert(fates_.end(), tally.refused, Fate::kRefused);
    fates_.insert(fates_.end(), tally.hanging, Fate::kNoAnswer);
  }
  void pass(Duration time) override { world_.now += time; }
  std::vector<Fate> fates() override { return fates_; }

 private:
  static constexpr size_t kWorkers = 200;  // as many as wish to be verified at once

  World world_;
  std::vector<Fate> fates_;
};

}  // namespace

// The day of a site: who attacks, who owns.
class Day {
 public:
  explicit Day(Site& site) : site_(site) {}

  static std::string user(int i) { return "user" + std::to_string(i); }
  static std::string right(const std::string& user) { return "right password of " + user; }
  std::string fresh() { return "guess " + std::to_string(++passwords_); }

  void accounts(int many) {
    for (int i = 0; i < many; ++i) site_.account(user(i), right(user(i)));
  }
  void pass(Duration time) { site_.pass(time); }

  void guess(const std::string& user, const std::string& rip) { guess(user, rip, fresh()); }
  void guess(const std::string& user, const std::string& rip, const std::string& password) {
    enter({user, password, rip}, Who::kAttacker);
  }
  void owner(const std::string& user, const std::string& rip) {
    enter({user, right(user), rip}, Who::kOwner);
  }
  // A login that is neither: what becomes of it is not asked.
  void other(const Login& login) { enter(login, Who::kOther); }
  // The owner logs in before anything happens, so that the network is familiar.
  void know(const std::string& user, const std::string& rip) { other({user, right(user), rip}); }

  void guesses(const std::vector<Login>& logins, Together how = Together::kParallel) {
    enter(logins, Who::kAttacker, how);
  }
  void owners(const std::vector<Login>& logins) { enter(logins, Who::kOwner, Together::kParallel); }
  void others(const std::vector<Login>& logins) { enter(logins, Who::kOther, Together::kParallel); }

  [[nodiscard]] std::vector<Who> who() const { return who_; }

 private:
  void enter(const Login& login, Who who) {
    who_.push_back(who);
    site_.login(login);
  }
  void enter(const std::vector<Login>& logins, Who who, Together how) {
    who_.insert(who_.end(), logins.size(), who);
    site_.rush(logins, how);
  }

  Site& site_;
  std::vector<Who> who_;
  int passwords_ = 0;
};

namespace {

// One guess from each of 200 addresses, all in different networks, while the owner logs in from
// where he always does.
void botnet_at_one_account(Day& day) {
  day.accounts(1);
  day.know("user0", kOffice);
  for (uint32_t i = 0; i < 200; ++i) {
    day.guess("user0", address("10.0.0.1", i * 65536));
    if (i % 10 == 9) day.owner("user0", kOffice);
    day.pass(1s);
  }
}

void parallel_from_one_address(Day& day) {
  std::vector<Login> logins;
  for (int i = 0; i < 200; ++i) logins.push_back({Day::user(i % 20), day.fresh(), "198.51.100.1"});
  day.guesses(logins);
}

void at_one_account(Day& day, Together how) {
  day.accounts(1);
  std::vector<Login> logins;
  for (uint32_t i = 0; i < 200; ++i)
    logins.push_back({"user0", day.fresh(), address("10.0.0.1", i * 65536)});
  day.guesses(logins, how);
}

// Nobody has a familiar network yet.
void colleagues_at_eight(Day& day) {
  day.accounts(60);
  std::vector<Login> logins;
  for (int i = 0; i < 60; ++i) logins.push_back({Day::user(i), Day::right(Day::user(i)), kOffice});
  day.owners(logins);
}

void sessions_of_one_program(Day& day) {
  day.accounts(1);
  day.owners(std::vector<Login>(40, {"user0", Day::right("user0"), kOffice}));
}

// One password over 300 accounts, from `networks` networks in turn.
void spraying(Day& day, uint32_t networks, bool unknown) {
  day.accounts(unknown ? 15 : 300);
  for (uint32_t i = 0; i < 300; ++i) {
    day.guess(Day::user(static_cast<int>(i)), address("10.0.0.1", i % networks * 65536),
              "Spring2030!");
    day.pass(5s);
  }
}

// Names that mostly don't exist, each with a password of its own, from a dozen networks.
void unknown_users(Day& day) {
  day.accounts(20);
  for (uint32_t i = 0; i < 1200; ++i) {
    const bool exists = i % 20 == 0;
    day.guess(exists ? Day::user(static_cast<int>(i / 60)) : "ghost" + std::to_string(i),
              address("10.0.0.1", i % 12 * 65536));
    day.pass(3s);
  }
}

// A new address for each guess, inside one IPv6 /64 or over the /64s of one /48.
void rotation(Day& day, bool inside_64) {
  for (int i = 0; i < 600; ++i) {
    char text[64];
    std::snprintf(text, sizeof text, inside_64 ? "2001:db8:1:1::%x" : "2001:db8:1:%x::1", i + 1);
    day.guess(Day::user(i % 200), text);
    day.pass(2s);
  }
}

// A telephone with last year's password, every five minutes for a day; the owner's other device is
// in the same network or on the road.
void stale_telephone(Day& day) {
  day.accounts(1);
  day.know("user0", kOffice);
  for (int i = 0; i < 288; ++i) {
    day.other({"user0", "last year's", kOffice});
    if (i % 12 == 0) day.owner("user0", kOffice);
    if (i % 12 == 6) day.owner("user0", address("203.0.113.1", static_cast<uint32_t>(i) * 256));
    day.pass(5min);
  }
}

// Three devices with seven sessions each come back at once with the old password, several times.
void stale_devices(Day& day) {
  day.accounts(1);
  for (int round = 0; round < 5; ++round) {
    std::vector<Login> stale;
    for (const char* rip : {kOffice, "198.51.100.7", "203.0.113.7"})
      for (int i = 0; i < 7; ++i) stale.push_back({"user0", "last year's", rip});
    day.others(stale);
    day.owner("user0", "203.0.113.99");
    day.pass(1min);
  }
}

// Sixty people mistype in webmail; their colleagues log in through it (or send no rip at all).
void webmail_mistypers(Day& day, const std::string& rip) {
  day.accounts(120);
  for (int i = 0; i < 60; ++i) {
    day.other({Day::user(i), "mistyped by " + std::to_string(i), rip});
    day.owner(Day::user(60 + i), rip);
    day.pass(10s);
  }
}

void webmail_guesser(Day& day, const std::string& rip) {
  day.accounts(50);
  for (int i = 0; i < 200; ++i) {
    day.guess("user0", rip);
    if (i % 10 == 0) day.owner(Day::user(1 + i / 10), rip);
    day.pass(1s);
  }
}

// A botnet locks an account; its owner works in webmail, or through a client that sends no rip.
void webmail_owner_of_a_locked_account(Day& day, const std::string& rip) {
  day.accounts(1);
  day.know("user0", rip);
  for (uint32_t i = 0; i < 200; ++i) {
    day.guess("user0", address("10.0.0.1", i * 65536));
    if (i % 10 == 0) day.owner("user0", rip);
    day.pass(10s);
  }
}

void mass_lockout(Day& day) {
  day.accounts(60);
  for (int i = 0; i < 60; ++i)
    day.know(Day::user(i), address("172.16.0.1", static_cast<uint32_t>(i) * 256));
  for (uint32_t round = 0; round < 30; ++round)
    for (uint32_t i = 0; i < 60; ++i)
      day.guess(Day::user(static_cast<int>(i)), address("10.0.0.1", (round * 60 + i) * 4096));
  for (int i = 0; i < 60; ++i)
    day.owner(Day::user(i), address("172.16.0.77", static_cast<uint32_t>(i) * 256));
}

// Thirty users behind one address, all known from there, and an attacker among them.
void attacker_behind_the_same_nat(Day& day) {
  day.accounts(30);
  for (int i = 0; i < 30; ++i) day.know(Day::user(i), kOffice);
  for (int i = 0; i < 300; ++i) {
    day.guess("elsewhere" + std::to_string(i % 40), kOffice);
    day.owner(Day::user(i % 30), kOffice);
    day.pass(10s);
  }
}

// Before each guess the attacker logs in to his own account.
void attacker_with_an_account(Day& day) {
  day.accounts(40);
  for (int i = 0; i < 300; ++i) {
    day.other({"user0", Day::right("user0"), "198.51.100.1"});
    day.guess(Day::user(1 + i % 39), "198.51.100.1");
    day.pass(1s);
  }
}

// The patient one: each guess from a network of its own, one in ten minutes, for three weeks.
void slow_botnet(Day& day) {
  day.accounts(1);
  day.know("user0", kOffice);
  for (uint32_t i = 0; i < 3024; ++i) {
    day.guess("user0", address("10.0.0.1", i * 4096));
    if (i % 36 == 0) day.owner("user0", kOffice);
    day.pass(10min);
  }
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> kScenarios = {
      {"200 addresses, one guess each, at one account", botnet_at_one_account, 10},
      {"200 guesses at once from one address at 20 accounts", parallel_from_one_address, 10},
      {"200 guesses at once at one account",
       [](Day& day) { at_one_account(day, Together::kParallel); }, 10},
      {"200 guesses pipelined on one connection at one account",
       [](Day& day) { at_one_account(day, Together::kPipelined); }, 10},
      {"the same, each cancelled after 80 ms",
       [](Day& day) { at_one_account(day, Together::kCancelled); }, 10},
      {"200 connections, each hung up on after 80 ms",
       [](Day& day) { at_one_account(day, Together::kHungUp); }, 10},
      {"60 colleagues at once, none familiar", colleagues_at_eight},
      {"40 sessions of one mail program at once", sessions_of_one_program},
      {"one password, 300 accounts, 60 networks", [](Day& day) { spraying(day, 60, false); }, 5},
      {"one password, 300 accounts, 300 networks", [](Day& day) { spraying(day, 300, false); }, 5},
      {"one password, 95 % unknown users, 60 networks", [](Day& day) { spraying(day, 60, true); },
       5},
      {"1200 guesses, 95 % unknown users, 12 networks", unknown_users, 120},
      {"600 guesses from one IPv6 /64", [](Day& day) { rotation(day, true); }, 20},
      {"600 guesses over one IPv6 /48", [](Day& day) { rotation(day, false); }, 60},
      {"a telephone with an old password, 24 h", stale_telephone},
      {"three devices with seven old sessions each", stale_devices},
      {"60 people mistype in webmail", [](Day& day) { webmail_mistypers(day, kWebmail); }},
      {"60 people mistype, clients send no rip", [](Day& day) { webmail_mistypers(day, ""); }},
      {"200 guesses through webmail", [](Day& day) { webmail_guesser(day, kWebmail); }, 30},
      {"200 guesses without a rip", [](Day& day) { webmail_guesser(day, ""); }, 30},
      {"a botnet locks the account of a webmail user",
       [](Day& day) { webmail_owner_of_a_locked_account(day, kWebmail); }, 30},
      {"the same, his client sends no rip",
       [](Day& day) { webmail_owner_of_a_locked_account(day, ""); }, 30},
      {"a botnet locks 60 accounts on purpose", mass_lockout, 600},
      {"30 known users and an attacker behind one NAT", attacker_behind_the_same_nat, 30},
      {"an attacker who logs in between guesses", attacker_with_an_account, 15},
      {"one guess in ten minutes for three weeks, each from elsewhere", slow_botnet, 300},
  };
  return kScenarios;
}

std::vector<Who> play(const Scenario& scenario, Site& site) {
  Day day(site);
  scenario.run(day);
  return day.who();
}

Result run(const Scenario& scenario, Site& site) {
  const std::vector<Who> who = play(scenario, site);
  const std::vector<Fate> fates = site.fates();
  if (fates.size() != who.size()) throw std::logic_error("a login without a fate");
  Result result;
  for (size_t i = 0; i < fates.size(); ++i) {
    switch (who[i]) {
      case Who::kAttacker:
        ++result.guesses;
        result.let_through += fates[i] == Fate::kWrong ? 1 : 0;
        break;
      case Who::kOwner:
        ++result.owners;
        result.owners_refused += fates[i] == Fate::kIn ? 0 : 1;
        break;
      case Who::kOther:
        break;
    }
  }
  return result;
}

Result run(const Scenario& scenario, const std::vector<Rule>& rules) {
  EngineSite site(rules);
  return run(scenario, site);
}

}  // namespace saslatch::policy
