// saslatchd: reads the command line and the configuration, makes the daemon, and tells it about
// signals until it is to stop.

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <span>

#include "daemon/audit/log_targets.h"
#include "daemon/config/saslatchd_options.h"
#include "daemon/environment.h"
#include "daemon/net/clock.h"
#include "daemon/net/service_manager.h"
#include "daemon/saslatchd.h"

namespace saslatch {
namespace {

// sysexits(3).
constexpr int kUsage = 64;
constexpr int kConfiguration = 78;

// All signals that the daemon minds are waited for here, on the main thread alone; blocked before
// any thread begins.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, number);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
  }

  // The next signal, or 0 when `at_most` has passed first.
  int wait(std::optional<std::chrono::microseconds> at_most) const {
    if (!at_most) {
      int number = 0;
      return sigwait(&set_, &number) == 0 ? number : 0;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*at_most);
    const timespec timeout{
        seconds.count(),
        std::chrono::nanoseconds(*at_most - seconds).count(),
    };
    const int number = sigtimedwait(&set_, nullptr, &timeout);
    return number > 0 ? number : 0;
  }

 private:
  sigset_t set_;
};

int run(const std::string& config_file) {
  const Signals signals;
  config::LoadedConfig loaded = config::load_config(config_file, nullptr);
  for (const config::Problem& problem : loaded.problems) {
    std::cerr << config::to_string(problem, config_file) << "\n";
  }
  if (!loaded.usable) return kConfiguration;
  auto log = make_log(loaded.config.daemon.log_target, loaded.config.daemon.log_level);
  if (!log) {
    std::cerr << "saslatchd: " << log.error().message << "\n";
    return kConfiguration;
  }

  const net::Clock clock;
  Saslatchd daemon(config_file, std::move(loaded.config), std::move(*log), clock);
  if (const auto error = daemon.start()) {
    std::cerr << "saslatchd: " << error->message << "\n";
    return error->exit_code;
  }
  // Twice as often as asked for, as sd_watchdog_enabled(3) advises.
  auto watchdog = net::watchdog_interval();
  if (watchdog) *watchdog /= 2;
  while (true) {
    switch (signals.wait(watchdog)) {
      case SIGTERM:
      case SIGINT:
        daemon.stop();
        return 0;
      case SIGHUP:
        try {
          daemon.hang_up();
        } catch (const std::bad_alloc&) {
          std::cerr << "saslatchd: no memory to reload\n";
        }
        break;
      default:
        if (daemon.is_alive()) net::notify_service_manager("WATCHDOG=1");
    }
  }
}

int dispatch(std::span<const char* const> arguments) {
  const auto options = config::parse_saslatchd_options(arguments);
  if (!options) {
    std::cerr << "saslatchd: " << options.error().message << "\n";
    return kUsage;
  }
  switch (options->command) {
    case config::SaslatchdOptions::Command::kRun:
      return run(options->config_file);
    case config::SaslatchdOptions::Command::kCheck: {
      RealEnvironment environment;
      return config::run_check(options->config_file, environment, std::cout, std::cerr);
    }
    case config::SaslatchdOptions::Command::kDumpConfig:
      return config::run_dump_config(options->config_file, std::cout, std::cerr);
    case config::SaslatchdOptions::Command::kVersion:
      std::cout << config::saslatchd_version();
      return 0;
    case config::SaslatchdOptions::Command::kHelp:
      std::cout << config::saslatchd_help();
      return 0;
  }
  return kUsage;
}

}  // namespace
}  // namespace saslatch

int main(int argc, char** argv) {
  try {
    return saslatch::dispatch(
        std::span<const char* const>(argv, static_cast<size_t>(argc)).subspan(1));
  } catch (const std::exception& error) {
    // Lack of memory or of entropy at start; nothing on a login's path throws.
    std::fprintf(stderr, "saslatchd: %s\n", error.what());
    return 71;
  }
}
