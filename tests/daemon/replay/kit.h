#ifndef SASLATCH_TESTS_DAEMON_REPLAY_KIT_H_
#define SASLATCH_TESTS_DAEMON_REPLAY_KIT_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/replay/assembler.h"
#include "daemon/replay/line_reader.h"
#include "daemon/replay/words.h"

namespace saslatch::replay {

inline const Time kWritten{std::chrono::sys_days(std::chrono::year(2030) / 12 / 1)};

inline FixedZone& utc_zone() {
  static FixedZone zone(0, "UTC");
  return zone;
}

inline std::string word(Result result) {
  switch (result) {
    case Result::kOk:
      return "ok";
    case Result::kBadCredential:
      return "bad";
    case Result::kUnknownUser:
      return "unknown";
    case Result::kRefused:
      break;
  }
  return "refused";
}

// "07:28:13 bad alice@example.com 192.0.2.1", with "-" for what the log does not tell.
inline std::string to_text(const Attempt& attempt) {
  return shown(attempt.at).substr(11, 8) + " " + word(attempt.result) + " " +
         (attempt.names_user ? attempt.user : "-") + " " +
         (attempt.rip ? attempt.rip->to_string() : "-");
}

// What the attempts of a log are.
inline std::vector<Attempt> attempts_of(const std::vector<std::string>& lines,
                                        Format format = Format::kAuto) {
  LineReader reader(format, utc_zone(), kWritten);
  Assembler assembler;
  std::vector<Attempt> attempts;
  uint64_t number = 0;
  for (const std::string& line : lines) {
    LineResult result = reader.read(line);
    ++number;
    if (auto* fact = std::get_if<Fact>(&result)) assembler.feed({std::move(*fact), 0, number});
    while (auto attempt = assembler.next()) attempts.push_back(std::move(*attempt));
  }
  assembler.finish();
  while (auto attempt = assembler.next()) attempts.push_back(std::move(*attempt));
  return attempts;
}

inline std::vector<std::string> texts_of(const std::vector<std::string>& lines) {
  std::vector<std::string> texts;
  for (const Attempt& attempt : attempts_of(lines)) texts.push_back(to_text(attempt));
  return texts;
}

}  // namespace saslatch::replay

#endif  // SASLATCH_TESTS_DAEMON_REPLAY_KIT_H_
