#include "tests/daemon/policy/scenarios/scenarios.h"

namespace saslatch::policy {
namespace {

constexpr const char* kOffice = "192.0.2.10";
constexpr const char* kWebmail = "127.0.0.1";

// A world with its bookkeeping: who attacks, who owns.
class Day {
 public:
  explicit Day(const std::vector<Rule>& rules) : world_(rules) {}

  World& world() { return world_; }
  Time& now() { return world_.now; }
  Result result() const { return result_; }

  static std::string user(int i) { return "user" + std::to_string(i); }
  static std::string right(const std::string& user) { return "right password of " + user; }
  void accounts(int many) {
    for (int i = 0; i < many; ++i) world_.account(user(i), right(user(i)));
  }
  std::string fresh() { return "guess " + std::to_string(++guesses_made_); }

  // A guess; true if it was refused unverified.
  bool guess(const std::string& user, const std::string& rip) { return guess(user, rip, fresh()); }
  bool guess(const std::string& user, const std::string& rip, const std::string& password) {
    ++result_.guesses;
    const Try one = world_.login({user, password, rip});
    result_.let_through += one.wrong() ? 1 : 0;
    return one.refused();
  }
  void owner(const std::string& user, const std::string& rip) {
    ++result_.owners;
    const Try one = world_.login({user, right(user), rip});
    result_.owners_refused += one.in() && one.settled.hold == Duration(0) ? 0 : 1;
  }
  void guesses(const std::vector<Login>& logins) {
    result_.guesses += logins.size();
    result_.let_through += world_.rush(logins).wrong;
  }
  void owners(const std::vector<Login>& logins) {
    result_.owners += logins.size();
    const Tally tally = world_.rush(logins, kWorkers);
    result_.owners_refused += logins.size() - tally.in + tally.held;
  }

 private:
  static constexpr size_t kWorkers = 200;  // as many as wish to be verified at once

  World world_;
  Result result_;
  int guesses_made_ = 0;
};

// One guess from each of 200 addresses, all in different networks, while the owner logs in from
// where he always does.
Result botnet_at_one_account(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(1);
  day.world().know("user0", kOffice);
  for (uint32_t i = 0; i < 200; ++i) {
    day.guess("user0", address("10.0.0.1", i * 65536));
    if (i % 10 == 9) day.owner("user0", kOffice);
    day.now() += 1s;
  }
  return day.result();
}

Result parallel_from_one_address(const std::vector<Rule>& rules) {
  Day day(rules);
  std::vector<Login> logins;
  for (int i = 0; i < 200; ++i) logins.push_back({Day::user(i % 20), day.fresh(), "198.51.100.1"});
  day.guesses(logins);
  return day.result();
}

Result parallel_at_one_account(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(1);
  std::vector<Login> logins;
  for (uint32_t i = 0; i < 200; ++i)
    logins.push_back({"user0", day.fresh(), address("10.0.0.1", i * 65536)});
  day.guesses(logins);
  return day.result();
}

// Nobody has a familiar network yet.
Result colleagues_at_eight(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(60);
  std::vector<Login> logins;
  for (int i = 0; i < 60; ++i) logins.push_back({Day::user(i), Day::right(Day::user(i)), kOffice});
  day.owners(logins);
  return day.result();
}

Result sessions_of_one_program(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(1);
  day.owners(std::vector<Login>(40, {"user0", Day::right("user0"), kOffice}));
  return day.result();
}

// One password over 300 accounts, from `networks` networks in turn.
Result spraying(const std::vector<Rule>& rules, uint32_t networks, bool unknown) {
  Day day(rules);
  day.accounts(unknown ? 15 : 300);
  for (uint32_t i = 0; i < 300; ++i) {
    day.guess(Day::user(static_cast<int>(i)), address("10.0.0.1", i % networks * 65536),
              "Spring2030!");
    day.now() += 5s;
  }
  return day.result();
}

// Names that mostly don't exist, each with a password of its own, from a dozen networks.
Result unknown_users(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(20);
  for (uint32_t i = 0; i < 1200; ++i) {
    const bool exists = i % 20 == 0;
    day.guess(exists ? Day::user(static_cast<int>(i / 60)) : "ghost" + std::to_string(i),
              address("10.0.0.1", i % 12 * 65536));
    day.now() += 3s;
  }
  return day.result();
}

// A new address for each guess, inside one IPv6 /64 or over the /64s of one /48.
Result rotation(const std::vector<Rule>& rules, bool inside_64) {
  Day day(rules);
  for (int i = 0; i < 600; ++i) {
    char text[64];
    std::snprintf(text, sizeof text, inside_64 ? "2001:db8:1:1::%x" : "2001:db8:1:%x::1", i + 1);
    day.guess(Day::user(i % 200), text);
    day.now() += 2s;
  }
  return day.result();
}

// A telephone with last year's password, every five minutes for a day; the owner's other device is
// in the same network or on the road.
Result stale_telephone(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(1);
  day.world().know("user0", kOffice);
  for (int i = 0; i < 288; ++i) {
    (void)day.world().login({"user0", "last year's", kOffice});
    if (i % 12 == 0) day.owner("user0", kOffice);
    if (i % 12 == 6) day.owner("user0", address("203.0.113.1", static_cast<uint32_t>(i) * 256));
    day.now() += 5min;
  }
  return day.result();
}

// Three devices with seven sessions each come back at once with the old password, several times.
Result stale_devices(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(1);
  for (int round = 0; round < 5; ++round) {
    std::vector<Login> stale;
    for (const char* rip : {kOffice, "198.51.100.7", "203.0.113.7"})
      for (int i = 0; i < 7; ++i) stale.push_back({"user0", "last year's", rip});
    (void)day.world().rush(stale);
    day.owner("user0", "203.0.113.99");
    day.now() += 1min;
  }
  return day.result();
}

// Sixty people mistype in webmail; their colleagues log in through it (or send no rip at all).
Result webmail_mistypers(const std::vector<Rule>& rules, const std::string& rip) {
  Day day(rules);
  day.accounts(120);
  for (int i = 0; i < 60; ++i) {
    (void)day.world().login({Day::user(i), "mistyped by " + std::to_string(i), rip});
    day.owner(Day::user(60 + i), rip);
    day.now() += 10s;
  }
  return day.result();
}

Result webmail_guesser(const std::vector<Rule>& rules, const std::string& rip) {
  Day day(rules);
  day.accounts(50);
  for (int i = 0; i < 200; ++i) {
    day.guess("user0", rip);
    if (i % 10 == 0) day.owner(Day::user(1 + i / 10), rip);
    day.now() += 1s;
  }
  return day.result();
}

// A botnet locks an account; its owner works in webmail, or through a client that sends no rip.
Result webmail_owner_of_a_locked_account(const std::vector<Rule>& rules, const std::string& rip) {
  Day day(rules);
  day.accounts(1);
  day.world().know("user0", rip);
  for (uint32_t i = 0; i < 200; ++i) {
    day.guess("user0", address("10.0.0.1", i * 65536));
    if (i % 10 == 0) day.owner("user0", rip);
    day.now() += 10s;
  }
  return day.result();
}

Result mass_lockout(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(60);
  for (int i = 0; i < 60; ++i)
    day.world().know(Day::user(i), address("172.16.0.1", static_cast<uint32_t>(i) * 256));
  for (uint32_t round = 0; round < 30; ++round)
    for (uint32_t i = 0; i < 60; ++i)
      day.guess(Day::user(static_cast<int>(i)), address("10.0.0.1", (round * 60 + i) * 4096));
  for (int i = 0; i < 60; ++i)
    day.owner(Day::user(i), address("172.16.0.77", static_cast<uint32_t>(i) * 256));
  return day.result();
}

// Thirty users behind one address, all known from there, and an attacker among them.
Result attacker_behind_the_same_nat(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(30);
  for (int i = 0; i < 30; ++i) day.world().know(Day::user(i), kOffice);
  for (int i = 0; i < 300; ++i) {
    day.guess("elsewhere" + std::to_string(i % 40), kOffice);
    day.owner(Day::user(i % 30), kOffice);
    day.now() += 10s;
  }
  return day.result();
}

// Before each guess the attacker logs in to his own account.
Result attacker_with_an_account(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(40);
  for (int i = 0; i < 300; ++i) {
    (void)day.world().login({"user0", Day::right("user0"), "198.51.100.1"});
    day.guess(Day::user(1 + i % 39), "198.51.100.1");
    day.now() += 1s;
  }
  return day.result();
}

// The patient one: each guess from a network of its own, one in ten minutes, for three weeks.
Result slow_botnet(const std::vector<Rule>& rules) {
  Day day(rules);
  day.accounts(1);
  day.world().know("user0", kOffice);
  for (uint32_t i = 0; i < 3024; ++i) {
    day.guess("user0", address("10.0.0.1", i * 4096));
    if (i % 36 == 0) day.owner("user0", kOffice);
    day.now() += 10min;
  }
  return day.result();
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  using Rules = const std::vector<Rule>&;
  static const std::vector<Scenario> kScenarios = {
      {"200 addresses, one guess each, at one account", botnet_at_one_account, 10},
      {"200 guesses at once from one address at 20 accounts", parallel_from_one_address, 10},
      {"200 guesses at once at one account", parallel_at_one_account, 10},
      {"60 colleagues at once, none familiar", colleagues_at_eight},
      {"40 sessions of one mail program at once", sessions_of_one_program},
      {"one password, 300 accounts, 60 networks",
       [](Rules rules) { return spraying(rules, 60, false); }, 5},
      {"one password, 300 accounts, 300 networks",
       [](Rules rules) { return spraying(rules, 300, false); }, 5},
      {"one password, 95 % unknown users, 60 networks",
       [](Rules rules) { return spraying(rules, 60, true); }, 5},
      {"1200 guesses, 95 % unknown users, 12 networks", unknown_users, 120},
      {"600 guesses from one IPv6 /64", [](Rules rules) { return rotation(rules, true); }, 20},
      {"600 guesses over one IPv6 /48", [](Rules rules) { return rotation(rules, false); }, 60},
      {"a telephone with an old password, 24 h", stale_telephone},
      {"three devices with seven old sessions each", stale_devices},
      {"60 people mistype in webmail",
       [](Rules rules) { return webmail_mistypers(rules, kWebmail); }},
      {"60 people mistype, clients send no rip",
       [](Rules rules) { return webmail_mistypers(rules, ""); }},
      {"200 guesses through webmail", [](Rules rules) { return webmail_guesser(rules, kWebmail); },
       30},
      {"200 guesses without a rip", [](Rules rules) { return webmail_guesser(rules, ""); }, 30},
      {"a botnet locks the account of a webmail user",
       [](Rules rules) { return webmail_owner_of_a_locked_account(rules, kWebmail); }, 30},
      {"the same, his client sends no rip",
       [](Rules rules) { return webmail_owner_of_a_locked_account(rules, ""); }, 30},
      {"a botnet locks 60 accounts on purpose", mass_lockout, 600},
      {"30 known users and an attacker behind one NAT", attacker_behind_the_same_nat, 30},
      {"an attacker who logs in between guesses", attacker_with_an_account, 15},
      {"one guess in ten minutes for three weeks, each from elsewhere", slow_botnet, 300},
  };
  return kScenarios;
}

}  // namespace saslatch::policy
