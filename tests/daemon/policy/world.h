#ifndef SASLATCH_TESTS_DAEMON_POLICY_WORLD_H_
#define SASLATCH_TESTS_DAEMON_POLICY_WORLD_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/policy/engine.h"
#include "daemon/policy/presets.h"

namespace saslatch::policy {

using namespace std::chrono_literals;  // NOLINT: tests only

// Bytes that are the same in every run.
class CountingRandom final : public Random {
 public:
  explicit CountingRandom(uint8_t first) : next_(first) {}
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = next_++;
  }

 private:
  uint8_t next_;
};

// One login as somebody types it. No rip: the client sent none. `shown` false: CRAM-MD5.
struct Login {
  std::string user;
  std::string password;
  std::string rip;
  bool shown = true;
};

// What became of it. `verified` counts hash runs, so it is what an attacker gained.
struct Try {
  Verdict verdict = Verdict::kAllow;
  bool familiar = false;
  std::optional<Hit> hit;
  std::optional<Hit> would;
  Outcome outcome = Outcome::kOurTrouble;  // with kAllow
  Settled settled;

  [[nodiscard]] bool in() const {
    return verdict == Verdict::kAllow && outcome == Outcome::kSuccess;
  }
  [[nodiscard]] bool wrong() const {
    return verdict == Verdict::kAllow && outcome != Outcome::kSuccess;
  }
  [[nodiscard]] bool refused() const { return verdict == Verdict::kRefuse; }
};

// What a crowd of logins came to.
struct Tally {
  size_t in = 0;
  size_t wrong = 0;  // verified and wrong
  size_t refused = 0;
  size_t waited = 0;   // had to wait, whatever came of it
  size_t hanging = 0;  // still waiting when nothing was being verified any more
  size_t held = 0;     // answers a delay rule holds

  void add(const Try& one);
};

// An engine with a clock that the test moves, and a passdb that holds plain passwords.
class World {
 public:
  // `process` stands for the key that a process draws for its password fingerprints.
  explicit World(std::vector<Rule> rules, Settings settings = {}, Journal* journal = nullptr,
                 uint8_t process = 1);

  // The account and its right password.
  void account(const std::string& user, const std::string& password) { passdb_[user] = password; }
  void alias(const std::string& name, const std::string& account) { aliases_[name] = account; }

  // Reserves, verifies, settles. A wait is reported, not waited for.
  Try login(const Login& login);
  // All arrive at once; `workers` verify at a time, in order of arrival; who waits is woken as the
  // engine says.
  Tally rush(const std::vector<Login>& logins, size_t workers = SIZE_MAX);
  // A success, so that the network becomes familiar; forgotten by nobody.
  void know(const std::string& user, const std::string& rip);

  Decision reserve(const Login& login, const Waiter& waiter = nullptr);
  [[nodiscard]] Outcome verify(const Login& login) const;

  Time now;
  std::unique_ptr<Engine> engine;

 private:
  std::map<std::string, std::string> passdb_;
  std::map<std::string, std::string> aliases_;
};

// "10/10m lock 1m" and the like, short enough for a table of tests.
Rule rule(std::string name, Count count, By by, uint32_t events, Duration window, Then then,
          Duration lasts = Duration(0));

// "192.0.2.N" and such: the address `n` places behind `base`.
std::string address(const std::string& base, uint32_t n);

}  // namespace saslatch::policy

#endif  // SASLATCH_TESTS_DAEMON_POLICY_WORLD_H_
