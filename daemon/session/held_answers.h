#ifndef SASLATCH_DAEMON_SESSION_HELD_ANSWERS_H_
#define SASLATCH_DAEMON_SESSION_HELD_ANSWERS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "daemon/session/session.h"

namespace saslatch {

// All answers held back at the moment, over every connection. When more than `limit` are held, the
// oldest is released at once, so that a flood of failures ties up neither our memory nor the mail
// server's processes ([policy] held-answers). Thread-safe.
class HeldAnswers {
 public:
  explicit HeldAnswers(size_t limit) : limit_(limit) {}

  // One held answer; destroying it says that the answer was written or its client is gone.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&&) noexcept = default;
    Hold& operator=(Hold&& other) noexcept;
    ~Hold() { end(); }

   private:
    friend class HeldAnswers;
    struct Place {
      std::weak_ptr<Mailbox> mailbox;
      uint64_t key;
      bool over = false;  // guarded by the owner's mutex
    };
    Hold(HeldAnswers* owner, std::shared_ptr<Place> place)
        : owner_(owner), place_(std::move(place)) {}
    void end();

    HeldAnswers* owner_ = nullptr;
    std::shared_ptr<Place> place_;
  };

  // Notes that `mailbox`'s session holds answer `key`. The object must outlive the Hold.
  [[nodiscard]] Hold hold(std::weak_ptr<Mailbox> mailbox, uint64_t key);

  void set_limit(size_t limit);
  [[nodiscard]] size_t size() const;

 private:
  mutable std::mutex mutex_;
  size_t limit_;
  size_t held_ = 0;
  std::deque<std::shared_ptr<Hold::Place>> places_;  // oldest first; places that are over linger
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_HELD_ANSWERS_H_
