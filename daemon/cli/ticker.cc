#include "daemon/cli/ticker.h"

#include "daemon/cli/format.h"

namespace saslatch::cli {

Ticker::Ticker(Console& console, std::string text)
    : console_(console), text_(std::move(text)), thread_([this] { run(); }) {}

Ticker::~Ticker() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Ticker::run() {
  constexpr std::chrono::seconds kPatience{2};
  constexpr std::chrono::seconds kInterval{1};
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, kPatience, [this] { return end_; })) return;
  std::chrono::seconds shown = kPatience;
  do {
    console_.progress(text_ + ": " + format_duration(shown));
    shown += kInterval;
  } while (!ended_.wait_for(lock, kInterval, [this] { return end_; }));
  console_.progress("");
}

}  // namespace saslatch::cli
