// saslatch-pam-worker: asks PAM for saslatchd, one question at a time, on its standard input, which
// is a socket. A module that hangs takes this process with it and nothing else: saslatchd kills the
// one it has started, and every one ends itself by an alarm.

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/passdb/pam/pam_check.h"
#include "daemon/passdb/pam/pam_frames.h"

namespace saslatch::passdb {
namespace {

// sysexits(3).
constexpr int kUsage = 64;
constexpr int kBadData = 65;

constexpr const char* kHelp =
    R"(saslatch-pam-worker - asks PAM for saslatchd (driver = pam)

usage: saslatch-pam-worker --service NAME... [--timeout SECONDS] [--questions N] [--confdir DIR]

It is started by saslatchd, or by saslatch-pam.socket as root; see saslatch-pam-worker(8).

  --service NAME     a service of PAM, as in /etc/pam.d/NAME, that may be asked about; again for
                     more
  --timeout SECONDS  one question may take so long, then the process ends (default 10)
  --questions N      after so many it ends, and what modules have leaked with it (default 200)
  --confdir DIR      where services are, in place of /etc/pam.d
)";

struct Options {
  std::vector<std::string> services;
  unsigned timeout = 10;
  unsigned questions = 200;
  std::string confdir;
};

bool read_number(std::string_view text, unsigned least, unsigned most, unsigned& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && into >= least && into <= most;
}

// False where the command line is wrong; then it has been said why.
bool read_options(std::span<const char* const> arguments, Options& options) {
  const auto refuse = [](const std::string& why) {
    std::fprintf(stderr, "saslatch-pam-worker: %s; see --help\n", why.c_str());
    return false;
  };
  for (size_t i = 0; i < arguments.size(); i += 2) {
    const std::string name = arguments[i];
    if (i + 1 == arguments.size()) return refuse(name + " needs a value");
    const std::string value = arguments[i + 1];
    if (name == "--service") {
      options.services.push_back(value);
    } else if (name == "--confdir") {
      options.confdir = value;
    } else if (name == "--timeout") {
      if (!read_number(value, 1, 60, options.timeout)) return refuse(name + " takes 1 to 60");
    } else if (name == "--questions") {
      if (!read_number(value, 1, 1'000'000, options.questions)) {
        return refuse(name + " takes 1 to 1000000");
      }
    } else {
      return refuse("unknown option " + name);
    }
  }
  return !options.services.empty() || refuse("no --service");
}

// All of `size` bytes; false at the end of input.
bool read_all(char* into, size_t size) {
  while (size > 0) {
    const ssize_t got = read(STDIN_FILENO, into, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(STDIN_FILENO, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

PamAnswer answer(const PamQuestion& question, const Options& options) {
  const auto& permitted = options.services;
  if (std::find(permitted.begin(), permitted.end(), question.service) == permitted.end()) {
    return {ProofVerdict::kUnavailable,
            "this worker was not started with --service " + question.service};
  }
  return ask_pam(question, options.confdir);
}

int serve(const Options& options) {
  char frame[kMaxPamFrame];
  for (unsigned left = options.questions; left > 0; --left) {
    char header[kPamHeader];
    if (!read_all(header, sizeof header)) return 0;
    // From here on: also against who begins a frame and does not end it.
    alarm(options.timeout);
    const auto size = frame_size({header, sizeof header});
    if (!size || !read_all(frame, *size)) return kBadData;
    const auto question = decode_question({frame, *size});
    wipe(frame, sizeof frame);
    if (!question) return kBadData;
    if (!write_all(encode(answer(*question, options)))) return 0;
    alarm(0);
  }
  return 0;
}

int run(std::span<const char* const> arguments) {
  if (arguments.size() == 1 && std::string_view(arguments[0]) == "--help") {
    std::fputs(kHelp, stdout);
    return 0;
  }
  if (arguments.size() == 1 && std::string_view(arguments[0]) == "--version") {
    std::puts("saslatch-pam-worker " SASLATCH_VERSION);
    return 0;
  }
  Options options;
  if (!read_options(arguments, options)) return kUsage;
  // Passwords are in memory: not for core files, nor for who traces us.
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(SIGPIPE, SIG_IGN);
  return serve(options);
}

}  // namespace
}  // namespace saslatch::passdb

int main(int argc, char** argv) {
  try {
    return saslatch::passdb::run(
        std::span<const char* const>(argv, static_cast<size_t>(argc)).subspan(1));
  } catch (const std::exception&) {
    return 71;  // lack of memory
  }
}
