#include "daemon/cli/secret_input.h"

#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace saslatch::cli {
namespace {

constexpr char kCtrlC = '\003';

enum class From { kPipe, kTerminal };

// A line read byte by byte: a buffered read could take, and leave in memory, what follows it.
Result<Secret> read_line(int descriptor, From from) {
  const std::string where = from == From::kPipe ? "standard input" : "the terminal";
  std::array<char, kMaxPassword + 1> buffer;  // + 1: the CR of a CRLF
  size_t size = 0;
  bool ended = false;
  std::string problem;
  while (!ended && problem.empty()) {
    char byte = 0;
    const ssize_t got = ::read(descriptor, &byte, 1);
    if ((got < 0 && errno == EINTR) || (got > 0 && from == From::kTerminal && byte == kCtrlC)) {
      problem = "interrupted";
    } else if (got < 0) {
      problem = "cannot read the password from " + where + ": " + std::strerror(errno);
    } else if (got == 0 || byte == '\n') {
      ended = true;
    } else if (size == buffer.size()) {
      problem = "the password is longer than " + std::to_string(kMaxPassword) + " bytes";
    } else if (byte == '\0') {
      problem = "the password has a NUL byte, which no mechanism can carry";
    } else {
      buffer[size++] = byte;
    }
  }
  if (size > 0 && buffer[size - 1] == '\r') --size;
  if (problem.empty() && size == 0) problem = "the password from " + where + " is empty";
  if (problem.empty() && size > kMaxPassword) {
    problem = "the password is longer than " + std::to_string(kMaxPassword) + " bytes";
  }
  Secret password = problem.empty() ? Secret(std::string_view(buffer.data(), size)) : Secret();
  wipe(buffer.data(), buffer.size());
  if (!problem.empty()) return failure(std::move(problem));
  return password;
}

// The terminal without echo while it lives. Signals wait until the echo is back.
class SilentTerminal {
 public:
  SilentTerminal() : descriptor_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (descriptor_ < 0) return;
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP}) sigaddset(&held, signal);
    sigprocmask(SIG_BLOCK, &held, &signals_);
    if (tcgetattr(descriptor_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    // Ctrl-C comes as a byte that ends the line, so that read_line() sees it at once.
    silent.c_cc[VINTR] = _POSIX_VDISABLE;
    silent.c_cc[VQUIT] = _POSIX_VDISABLE;
    silent.c_cc[VSUSP] = _POSIX_VDISABLE;
    silent.c_cc[VEOL] = kCtrlC;
    silenced_ = tcsetattr(descriptor_, TCSAFLUSH, &silent) == 0;
  }
  ~SilentTerminal() {
    if (silenced_) tcsetattr(descriptor_, TCSAFLUSH, &before_);
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    sigprocmask(SIG_SETMASK, &signals_, nullptr);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

  [[nodiscard]] bool is_usable() const { return silenced_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void ask(std::string_view text) const {
    // A prompt that cannot be shown is no reason not to read the answer.
    [[maybe_unused]] const ssize_t written = ::write(descriptor_, text.data(), text.size());
  }

 private:
  int descriptor_;
  bool silenced_ = false;
  termios before_{};
  sigset_t signals_{};
};

}  // namespace

Result<Secret> read_password_line(int descriptor) { return read_line(descriptor, From::kPipe); }

Result<Secret> prompt_password(std::string_view prompt, bool twice) {
  SilentTerminal terminal;
  if (!terminal.is_usable()) {
    return failure(
        "there is no terminal to ask for the password: pipe it in with --password-stdin");
  }
  const auto ask = [&terminal](std::string_view text) -> Result<Secret> {
    terminal.ask(text);
    return read_line(terminal.descriptor(), From::kTerminal);
  };
  auto first = ask(prompt);
  if (!first || !twice) return first;
  auto second = ask("Again: ");
  if (!second) return second;
  if (first->reveal() != second->reveal()) {
    return failure("the two passwords differ; nothing was changed");
  }
  return first;
}

}  // namespace saslatch::cli
