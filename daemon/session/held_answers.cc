#include "daemon/session/held_answers.h"

#include <utility>

namespace saslatch {

HeldAnswers::Hold& HeldAnswers::Hold::operator=(Hold&& other) noexcept {
  if (this != &other) {
    end();
    owner_ = std::exchange(other.owner_, nullptr);
    place_ = std::move(other.place_);
  }
  return *this;
}

void HeldAnswers::Hold::end() {
  if (!place_) return;
  const std::lock_guard lock(owner_->mutex_);
  if (!place_->over) {
    place_->over = true;
    --owner_->held_;
  }
  place_.reset();
}

HeldAnswers::Hold HeldAnswers::hold(std::weak_ptr<Mailbox> mailbox, uint64_t key) {
  auto place = std::make_shared<Hold::Place>(Hold::Place{std::move(mailbox), key});
  std::shared_ptr<Hold::Place> oldest;
  {
    const std::lock_guard lock(mutex_);
    places_.push_back(place);
    ++held_;
    while (!places_.empty() && places_.front()->over) places_.pop_front();
    if (held_ > limit_) {
      oldest = std::move(places_.front());
      places_.pop_front();
      oldest->over = true;
      --held_;
    }
  }
  if (oldest) {
    if (const auto box = oldest->mailbox.lock()) box->release(oldest->key);
  }
  return Hold(this, std::move(place));
}

void HeldAnswers::set_limit(size_t limit) {
  const std::lock_guard lock(mutex_);
  limit_ = limit;
}

size_t HeldAnswers::size() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

}  // namespace saslatch
