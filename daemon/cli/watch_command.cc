#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "daemon/cli/daemon_commands.h"
#include "daemon/cli/format.h"
#include "daemon/cli/option_value.h"

namespace saslatch::cli {
namespace {

constexpr char kCtrlC = '\003';
constexpr config::Milliseconds kInterval = std::chrono::seconds(1);
constexpr config::Milliseconds kShortest{100};
// The daemon ends a control connection that asks nothing for five minutes.
constexpr config::Milliseconds kLongest = std::chrono::minutes(4);
constexpr uint64_t kMostFrames = 1'000'000'000;

// The terminal of stdin without line editing and echo, so that a lone `q` is seen; as it was when
// destroyed. Ctrl-C comes as a byte: a signal would leave the terminal as it is here.
class KeyboardMode {
 public:
  KeyboardMode() {
    if (::isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    changed_ = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
  }
  ~KeyboardMode() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  KeyboardMode(const KeyboardMode&) = delete;
  KeyboardMode& operator=(const KeyboardMode&) = delete;

  [[nodiscard]] bool is_on() const { return changed_; }

 private:
  bool changed_ = false;
  termios before_{};
};

// SIGTERM and SIGHUP end the loop instead of the program, so that the terminal is given back.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGHUP);
    sigprocmask(SIG_BLOCK, &set_, &before_);
  }
  ~EndSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  [[nodiscard]] bool have_come() const {
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGHUP) == 1);
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

// Waits for the next frame; true if it is time to end: q, Ctrl-C, a signal.
bool pause_until(std::chrono::steady_clock::time_point next, const KeyboardMode& keyboard,
                 const EndSignals& signals) {
  // Held signals are looked at this often.
  constexpr std::chrono::milliseconds kGlance{200};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
    if (signals.have_come()) return true;
    if (left.count() <= 0) return false;
    pollfd keys{keyboard.is_on() ? STDIN_FILENO : -1, POLLIN, 0};
    ::poll(&keys, 1, static_cast<int>(std::min(left, kGlance).count()));
    if ((keys.revents & (POLLIN | POLLHUP)) == 0) continue;
    char key = 0;
    const ssize_t got = ::read(STDIN_FILENO, &key, 1);
    if (got < 1 || key == 'q' || key == 'Q' || key == kCtrlC) return true;
  }
}

// "12.0 attempts/s", from two figures.
std::string rate_line(const Json& before, const Json& now, std::chrono::duration<double> between) {
  const auto total = [](const Json& status) {
    int64_t sum = 0;
    for (const auto& [outcome, count] : part(status, "attempts").items()) {
      if (outcome != "mean_us" && count.is_number()) sum += count.get<int64_t>();
    }
    return sum;
  };
  const double rate =
      static_cast<double>(std::max<int64_t>(total(now) - total(before), 0)) / between.count();
  char text[64];
  std::snprintf(text, sizeof text, "rate      %.1f attempts/s\n", rate);
  return text;
}

void show_frame(const std::string& frame, bool redraws, Console& console) {
  if (!redraws) {
    console.verbatim(frame + "\n");
    return;
  }
  // Home, each line cleared behind its text, then the rest of the screen: no flicker.
  std::string screen = "\033[H";
  for (const char c : frame) screen += c == '\n' ? std::string("\033[K\n") : std::string(1, c);
  console.verbatim(screen + "\nq ends\033[K\033[J");
}

}  // namespace

ExitCode watch(const Invocation& invocation, Console& console) {
  const auto interval =
      option_value(invocation, "interval", config::duration(kShortest, kLongest), kInterval);
  if (!interval) return console.fail(ExitCode::kUsage, interval.error().message);
  const auto count = option_value(invocation, "count", config::number(0, kMostFrames), uint64_t{0});
  if (!count) return console.fail(ExitCode::kUsage, count.error().message);

  ExitCode exit{};
  auto client = connect_to_daemon(invocation, console, exit);
  if (!client) return exit;
  const bool redraws = console.style().out_is_terminal && !console.style().json;
  const EndSignals signals;
  const KeyboardMode keyboard;
  if (redraws) console.verbatim("\033[?1049h");  // a screen of its own, given back at the end
  std::optional<Json> before;
  std::chrono::steady_clock::time_point shown;
  ExitCode result = ExitCode::kOk;
  std::string lost;
  for (uint64_t frame = 1;; ++frame) {
    const auto now = std::chrono::steady_clock::now();
    auto reply = client->ask("status");
    if (!reply) {
      result = reply.error().exit;
      lost = reply.error().message;
      break;
    }
    if (console.style().json) {
      console.print_compact(without_ok(*reply));
    } else {
      std::string text = render_status(*reply, console.style().out_colours);
      if (before) text += rate_line(*before, *reply, now - shown);
      show_frame(text, redraws, console);
    }
    if (!console.flush()) break;  // nobody reads on
    before = std::move(*reply);
    shown = now;
    if (frame == *count || pause_until(now + *interval, keyboard, signals)) break;
  }
  if (redraws) console.verbatim("\033[?1049l");
  return result == ExitCode::kOk ? result : console.fail(result, lost);
}

}  // namespace saslatch::cli
