#ifndef SASLATCH_DAEMON_POLICY_SETTINGS_H_
#define SASLATCH_DAEMON_POLICY_SETTINGS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/policy/rule.h"
#include "protocol/base/ip_address.h"

namespace saslatch::policy {

enum class Mode {
  kEnforce,
  kObserve,  // decide and report, refuse and delay nobody
};

// Bounds of a sensible configuration; errors() refuses what lies beyond.
constexpr size_t kMaxRules = 64;  // each costs every attempt a look-up
constexpr uint32_t kMaxLimitEvents = 1'000'000;
constexpr Duration kMaxWindow = std::chrono::hours(24 * 90);
constexpr Duration kMaxLock = std::chrono::hours(24 * 365);

// [policy], with the rules in force and [daemon] max-subjects. The defaults are those of
// saslatch.conf, except that there are no rules: see presets.h.
struct Settings {
  Mode mode = Mode::kEnforce;
  std::vector<Network> trusted;  // never counted, never refused
  std::vector<Network> shared = {*Network::parse("127.0.0.0/8"), *Network::parse("::1")};
  int ipv4_prefix = 24;
  int ipv6_prefix = 64;
  Duration familiar_for = std::chrono::hours(24 * 90);
  size_t familiar_max = 20;
  // For the session, which holds answers; the engine does not use these three.
  Duration failure_delay{1500};
  Duration max_hold{4500};
  size_t held_answers = 500;
  size_t max_subjects = 1'000'000;
  std::vector<Rule> rules;  // in the order of the file; disabled ones are ignored
};

// What makes `settings` unusable, one sentence each, naming rule and key and saying what is
// accepted. Empty: an Engine takes them.
std::vector<std::string> errors(const Settings& settings);

// What is allowed but hardly meant: rules that can never trip, that contradict each other, or that
// would lock everybody. One sentence each, with the reason.
std::vector<std::string> warnings(const Settings& settings);

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_SETTINGS_H_
