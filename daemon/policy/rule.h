#ifndef SASLATCH_DAEMON_POLICY_RULE_H_
#define SASLATCH_DAEMON_POLICY_RULE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace saslatch::policy {

// Wall clock, always an argument: nothing in this folder asks a clock. A step back is survived: no
// lock gets longer than its `lasts`, no event stays longer than its window.
using Time = std::chrono::sys_time<std::chrono::microseconds>;
using Duration = std::chrono::milliseconds;

// What is an event of a rule. "Failed" is verified: wrong credential or unknown user.
enum class Count {
  kAttempts,           // verified successes and failures
  kFailures,           // failed; the same wrong password for the same user once a subject and hour
  kUnknownUsers,       // as kFailures, for accounts that don't exist
  kDistinctUsers,      // different names that failed
  kDistinctPasswords,  // different passwords that failed; sees no CRAM-MD5
};

// Whom the events are counted for. `network` is the address cut to a prefix.
enum class By { kIp, kNetwork, kUser, kUserNetwork, kPassword, kEveryone };

enum class Then {
  kLock,    // refuse the subject for `lasts`; the window starts empty again
  kRefuse,  // refuse while `limit.events` or more remain in the window
  kDelay,   // hold each answer for `lasts` while `limit.events` or more remain in the window
};

enum class Answer { kFail, kTemporary };

// The words of saslatch.conf, both ways; nullopt for any other text.
std::string_view to_string(Count count);
std::string_view to_string(By by);
std::string_view to_string(Then then);
std::string_view to_string(Answer answer);
std::optional<Count> parse_count(std::string_view text);
std::optional<By> parse_by(std::string_view text);
std::optional<Then> parse_then(std::string_view text);
std::optional<Answer> parse_answer(std::string_view text);

// `10/10m`: the tenth event inside ten minutes trips the rule.
struct Limit {
  uint32_t events = 0;
  Duration window{};

  friend bool operator==(const Limit&, const Limit&) = default;
};

// `x2 up to 1h`: each further lock within 24 h of the last one's end lasts `factor` times as long.
struct Growth {
  double factor = 2;
  Duration cap{};

  friend bool operator==(const Growth&, const Growth&) = default;
};

// [rule.NAME]; a value. Which values make sense together is settings.h, errors() and warnings().
struct Rule {
  std::string name;
  bool enabled = true;
  Count count = Count::kFailures;
  By by = By::kUser;
  Limit limit;
  Then then = Then::kLock;
  Duration lasts{};  // `for`
  std::optional<Growth> growing;
  bool spare_familiar = false;
  Answer answer = Answer::kFail;
  std::optional<int> ipv4_prefix;  // absent: [policy] ipv4-prefix
  std::optional<int> ipv6_prefix;

  friend bool operator==(const Rule&, const Rule&) = default;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_RULE_H_
