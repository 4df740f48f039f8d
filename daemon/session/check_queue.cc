#include "daemon/session/check_queue.h"

#include <algorithm>
#include <new>
#include <utility>

namespace saslatch {
namespace {

// A guess until the first checks are timed: bcrypt and Argon2id take some tens of milliseconds.
constexpr std::chrono::nanoseconds kFirstPace = std::chrono::milliseconds(20);
// Weight of a new sample: one in eight follows a change of scheme within some dozen checks.
constexpr int kPaceShare = 8;

}  // namespace

CheckQueue::CheckQueue(size_t workers, std::chrono::milliseconds max_hold)
    : workers_(std::max<size_t>(workers, 1)), max_hold_(max_hold), pace_(kFirstPace) {}

size_t CheckQueue::places() const {
  // Half of max-hold: the estimate is an average, and the other half is the margin for the rest.
  const auto budget = std::chrono::nanoseconds(max_hold_) / 2;
  const auto per_worker =
      static_cast<size_t>(budget / std::max(pace_, std::chrono::nanoseconds(1000)));
  return std::clamp(per_worker * workers_, workers_ * kLeastPlacesPerWorker, kMostPlaces);
}

std::unique_ptr<QueuedCheck> CheckQueue::push(std::unique_ptr<QueuedCheck> check) {
  const size_t limit = places();
  const auto held = waiting_.find(check->connection());
  if (held != waiting_.end() && held->second >= std::max<size_t>(limit / 2, 1)) return check;

  const bool displaces = size() >= limit;
  if (displaces && (!check->is_familiar() || strangers_.empty())) return check;
  // Its place first: where memory ends, nobody has gone and nothing is counted.
  Line& line = check->is_familiar() ? familiar_ : strangers_;
  line.emplace_back();
  try {
    ++waiting_[check->connection()];
  } catch (const std::bad_alloc&) {
    line.pop_back();
    throw;
  }
  line.back() = std::move(check);
  if (!displaces) return nullptr;
  std::unique_ptr<QueuedCheck> displaced = leave(std::move(strangers_.back()));
  strangers_.pop_back();
  return displaced;
}

std::unique_ptr<QueuedCheck> CheckQueue::pop() {
  for (Line* line : {&familiar_, &strangers_}) {
    if (line->empty()) continue;
    std::unique_ptr<QueuedCheck> check = leave(std::move(line->front()));
    line->pop_front();
    return check;
  }
  return nullptr;
}

void CheckQueue::note_duration(std::chrono::nanoseconds took) {
  pace_ += (took - pace_) / kPaceShare;
}

std::unique_ptr<QueuedCheck> CheckQueue::leave(std::unique_ptr<QueuedCheck> check) {
  const auto held = waiting_.find(check->connection());
  if (--held->second == 0) waiting_.erase(held);
  return check;
}

}  // namespace saslatch
