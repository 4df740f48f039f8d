#ifndef SASLATCH_DAEMON_REPLAY_WORDS_H_
#define SASLATCH_DAEMON_REPLAY_WORDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/replay/replay.h"

namespace saslatch::replay {

// The result as sentences, the most important one first. Names in it come from the logs: whoever
// shows them escapes them.
std::vector<std::string> in_words(const Findings& findings);
// The same of what --compare found; nothing without it.
std::vector<std::string> comparison_in_words(const Findings& findings);

std::string grouped(uint64_t number);                          // "12,345"
std::string percent(uint64_t part, uint64_t all);              // "7.9 %"; "0 %" of nothing
std::string shown(policy::Duration duration);                  // "3m 20s", "0s"
std::string shown(Time time);                                  // "2030-11-01T07:28:13Z"
std::string many(uint64_t number, std::string_view singular);  // "1 account", "1,203 accounts"
std::string shown(const policy::Limit& limit);                 // "10/24h"
std::string shown(const Caveat& caveat);                       // "rule-a, rule-b: TEXT"
std::string name_of(const AccountFigures& account);            // "(not named)" for none
std::string name_of(const NetworkFigures& network);            // "unknown" for none

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_WORDS_H_
