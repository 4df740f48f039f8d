#ifndef SASLATCH_TESTS_DAEMON_POLICY_ENGINE_TEST_KIT_H_
#define SASLATCH_TESTS_DAEMON_POLICY_ENGINE_TEST_KIT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "daemon/policy/engine.h"
#include "tests/daemon/policy/world.h"

namespace saslatch::policy {

inline constexpr auto kFailures = Count::kFailures;
inline constexpr const char* kHome = "192.0.2.1";
inline constexpr const char* kElsewhere = "198.51.100.1";

inline Rule guess_account(uint32_t events = 3, Duration lasts = 1min) {
  return rule("guess-account", kFailures, By::kUser, events, 10min, Then::kLock, lasts);
}

inline Rule sparing(Rule rule) {
  rule.spare_familiar = true;
  return rule;
}

// A wrong password that nobody has sent before.
inline std::string fresh() {
  static int n = 0;
  return "guess " + std::to_string(++n);
}

inline Login guess(const std::string& user, const std::string& rip = kElsewhere) {
  return {user, fresh(), rip};
}

inline Login cram(const std::string& user, const std::string& rip = kElsewhere) {
  return {user, fresh(), rip, false};
}

// Three accounts, alice, bob and carol, and the rules of one test.
class EngineTest : public ::testing::Test {
 protected:
  void start(std::vector<Rule> rules, Settings settings = {}) {
    world_ = std::make_unique<World>(std::move(rules), std::move(settings));
    for (const char* user : {"alice", "bob", "carol"}) world_->account(user, right(user).password);
  }
  static Login right(const std::string& user, const std::string& rip = kHome) {
    return {user, "right password of " + user, rip};
  }
  World& world() { return *world_; }
  // Wrong guesses until one is refused; how many were verified.
  size_t guesses_let_through(const std::function<Login()>& next, size_t tries = 1000) {
    size_t verified = 0;
    for (size_t i = 0; i < tries; ++i) verified += world().login(next()).wrong() ? 1 : 0;
    return verified;
  }
  std::unique_ptr<World> world_;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_TESTS_DAEMON_POLICY_ENGINE_TEST_KIT_H_
