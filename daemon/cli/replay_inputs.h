#ifndef SASLATCH_DAEMON_CLI_REPLAY_INPUTS_H_
#define SASLATCH_DAEMON_CLI_REPLAY_INPUTS_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli/command.h"
#include "daemon/config/config.h"
#include "daemon/replay/replay.h"

namespace saslatch::cli {

// What `policy replay` and `policy suggest` are given, and how they tell how far they are.

// A configuration's policy, or a preset by its name where there is no such file.
struct ReadPolicy {
  replay::Candidate candidate;
  config::Config config;
  bool is_preset = false;
};
// Nothing, with `exit` set and the reason printed, if it cannot be read or is wrong.
std::optional<ReadPolicy> read_policy(const std::string& path, Console& console, ExitCode& exit);

// --events, further arguments, and --format. `command`: for the hint. Else as above.
struct LogFiles {
  std::vector<replay::FactStream::File> files;
  replay::Format format = replay::Format::kAuto;
};
std::optional<LogFiles> read_logs(const Invocation& invocation, std::string_view command,
                                  Console& console, ExitCode& exit);

// "replaying [####......] 41 %, about 12s left", from the third second on; taken away at the end.
class Progress {
 public:
  explicit Progress(Console& console) : console_(console), began_(Clock::now()) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `doing`: a new one begins at zero. `all` 0: not known; `bytes`: then `done` is shown as such.
  void show(std::string_view doing, uint64_t done, uint64_t all, bool bytes);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kPatience{2};
  static constexpr std::chrono::milliseconds kInterval{200};
  Console& console_;
  Clock::time_point began_;
  Clock::time_point last_{};
  std::string doing_;
  bool shown_ = false;
};

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_REPLAY_INPUTS_H_
