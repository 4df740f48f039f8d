#ifndef SASLATCH_TESTS_DAEMON_POLICY_SCENARIOS_SCENARIOS_H_
#define SASLATCH_TESTS_DAEMON_POLICY_SCENARIOS_SCENARIOS_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/daemon/policy/world.h"

namespace saslatch::policy {

// What came of an attack and of the owners in its midst. The guesses are wrong, each different.
struct Result {
  size_t guesses = 0;
  size_t let_through = 0;     // guesses that reached a password check
  size_t owners = 0;          // logins with the right password
  size_t owners_refused = 0;  // or delayed by a rule, or left without an answer
};

// What became of one login.
enum class Fate {
  kIn,
  kDelayed,   // let in, but a rule held the answer
  kWrong,     // verified and wrong
  kRefused,   // not verified
  kNoAnswer,  // still waiting at the end, or a temporary failure
};

// How many logins arrive at the same moment.
enum class Together {
  kParallel,   // a connection each
  kPipelined,  // all on one connection
  kCancelled,  // pipelined, and given up by CANCEL 80 ms after the credential
  kHungUp,     // parallel, and hung up on 80 ms after the credential
};

// Where a scenario takes place: an engine alone, or the daemon behind its socket. Time stands still
// but for pass(). Logins are numbered in the order of the calls.
class Site {
 public:
  virtual ~Site() = default;
  // Before the first login.
  virtual void account(const std::string& user, const std::string& password) = 0;
  virtual void login(const Login& login) = 0;
  virtual void rush(const std::vector<Login>& logins, Together how) = 0;
  virtual void pass(Duration time) = 0;
  // Of every login, by number; nothing else is called afterwards.
  virtual std::vector<Fate> fates() = 0;
};

// Whose login it was: of an attacker, an owner with the right password, or one whose fate is not
// asked.
enum class Who { kAttacker, kOwner, kOther };

class Day;

// An attack, or a bad day, against any set of rules. The same runs in the tests, over the socket,
// for the table of docs/POLICY.md, and for whoever tunes a preset.
struct Scenario {
  std::string name;
  std::function<void(Day&)> run;
  // What small-site promises; SIZE_MAX: nothing.
  size_t let_through_at_most = SIZE_MAX;
  size_t owners_refused_at_most = 0;
};

const std::vector<Scenario>& scenarios();
// For GoogleTest.
inline void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.name; }

// Plays it; whose each login was, by number.
std::vector<Who> play(const Scenario& scenario, Site& site);
Result run(const Scenario& scenario, Site& site);
// The same on an engine alone.
Result run(const Scenario& scenario, const std::vector<Rule>& rules);

}  // namespace saslatch::policy

#endif  // SASLATCH_TESTS_DAEMON_POLICY_SCENARIOS_SCENARIOS_H_
