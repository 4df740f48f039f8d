#ifndef SASLATCH_DAEMON_SESSION_ANSWER_BOOK_H_
#define SASLATCH_DAEMON_SESSION_ANSWER_BOOK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "daemon/session/attempt.h"
#include "daemon/session/held_answers.h"

namespace saslatch {

// The attempts of one session that are not answered yet: being decided, or decided and held back.
// What every protocol does alike with them. Not thread-safe; lives on the session's event loop.
class AnswerBook {
 public:
  // `services` and `holds` outlive this object.
  AnswerBook(AttemptServices& services, HeldAnswers& holds, std::weak_ptr<Mailbox> mailbox,
             uint32_t connection)
      : services_(services), holds_(holds), mailbox_(std::move(mailbox)), connection_(connection) {}

  ~AnswerBook();
  AnswerBook(const AnswerBook&) = delete;
  AnswerBook& operator=(const AnswerBook&) = delete;

  // Begins an attempt. `answer` if it may be written at once; else `key` names it until ready() has
  // it.
  struct Begun {
    uint64_t key;
    std::optional<Answer> answer;
  };
  [[nodiscard]] Begun begin(std::shared_ptr<const Settings> settings, AttemptRequest&& request,
                            Now now);

  // Holds back an answer that is there already; as begin().
  [[nodiscard]] Begun hold(Answer answer, Now now);

  // Mail for the session.
  void on_answer(uint64_t key, Answer answer, Now now);
  void on_release(uint64_t key);
  void on_wake(uint64_t key, Now now);

  // Puts what became due into ready().
  void on_deadline(Now now);
  [[nodiscard]] std::optional<Mono> next_deadline() const;

  // Makes every held answer ready.
  void release_all();
  // Forgets what is still being decided; held answers stay. Nothing is mailed for it any more.
  void drop_undecided();
  // Forgets one, decided or not.
  void forget(uint64_t key);

  // The answers to write now, in the order in which they became ready; each key is then free.
  [[nodiscard]] std::vector<std::pair<uint64_t, Answer>> ready() {
    return std::exchange(ready_, {});
  }

  // True if nothing is being decided, held or ready.
  [[nodiscard]] bool is_empty() const { return entries_.empty() && ready_.empty(); }

 private:
  struct Entry {
    Mono due;
    std::shared_ptr<Attempt> attempt;  // while being decided
    Answer answer;                     // afterwards
    HeldAnswers::Hold hold;
  };
  using Entries = std::map<uint64_t, Entry>;

  [[nodiscard]] Begun settle(uint64_t key, Answer answer, Now now);
  void finish(Entries::iterator entry);
  void erase(Entries::iterator entry);

  AttemptServices& services_;
  HeldAnswers& holds_;
  std::weak_ptr<Mailbox> mailbox_;
  uint32_t connection_;
  uint64_t last_key_ = 0;
  Entries entries_;
  std::set<std::pair<Mono, uint64_t>> by_due_;
  std::vector<std::pair<uint64_t, Answer>> ready_;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_ANSWER_BOOK_H_
