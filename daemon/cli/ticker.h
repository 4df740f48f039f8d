#ifndef SASLATCH_DAEMON_CLI_TICKER_H_
#define SASLATCH_DAEMON_CLI_TICKER_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "daemon/cli/console.h"

namespace saslatch::cli {

// Says on a terminal's stderr that something is still going on: nothing for the first two seconds,
// then "TEXT: 5s" once a second, taken away at the end. Nobody else writes to the console
// meanwhile.
class Ticker {
 public:
  Ticker(Console& console, std::string text);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  void run();

  Console& console_;
  std::string text_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_TICKER_H_
