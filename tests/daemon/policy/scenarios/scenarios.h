#ifndef SASLATCH_TESTS_DAEMON_POLICY_SCENARIOS_SCENARIOS_H_
#define SASLATCH_TESTS_DAEMON_POLICY_SCENARIOS_SCENARIOS_H_

#include <functional>
#include <string>
#include <vector>

#include "tests/daemon/policy/world.h"

namespace saslatch::policy {

// What came of an attack and of the owners in its midst. The guesses are wrong, each different.
struct Result {
  size_t guesses = 0;
  size_t let_through = 0;     // guesses that reached a password check
  size_t owners = 0;          // logins with the right password
  size_t owners_refused = 0;  // or delayed by a rule, or left waiting
};

// An attack, or a bad day, over an injected clock, against any set of rules. The same runs in the
// tests, for the table of docs/POLICY.md, and for whoever tunes a preset.
struct Scenario {
  std::string name;
  std::function<Result(const std::vector<Rule>&)> run;
  // What small-site promises; SIZE_MAX: nothing.
  size_t let_through_at_most = SIZE_MAX;
  size_t owners_refused_at_most = 0;
};

const std::vector<Scenario>& scenarios();

}  // namespace saslatch::policy

#endif  // SASLATCH_TESTS_DAEMON_POLICY_SCENARIOS_SCENARIOS_H_
