#ifndef SASLATCH_DAEMON_SESSION_SESSION_H_
#define SASLATCH_DAEMON_SESSION_SESSION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/session/now.h"

namespace saslatch {

enum class AnswerKind {
  kOk,
  kFail,
  kTemporary,
};

// What came of an attempt, on its way to the client.
struct Answer {
  AnswerKind kind = AnswerKind::kTemporary;
  // The name for `user=`: the account on success, else the name asked for as normalised.
  std::string user;
  // Not to be written before this moment; never later than max-hold after the attempt.
  Mono not_before{};
};

// The way back into a session from another thread. Outlives the session; what is sent after its end
// is dropped. Thread-safe.
class Mailbox {
 public:
  virtual ~Mailbox() = default;
  // The answer to the attempt that the session numbered `key`.
  virtual void deliver(uint64_t key, Answer answer) = 0;
  // Write the held answer `key` now: too many are held.
  virtual void release(uint64_t key) = 0;
  // The attempt `key`, which waits for others to settle, may try again.
  virtual void wake(uint64_t key) = 0;
  // Runs `task` on the session's event loop while the session is there; else drops it.
  virtual void run(std::function<void(Now)> task) = 0;
  // False once the session is gone: nobody waits for an answer.
  [[nodiscard]] virtual bool is_open() const = 0;
};

// One client connection as a state machine without I/O, living on one event loop. net/ moves bytes
// through its doors; tests and fuzzers drive the same object. Bytes may arrive in any pieces.
class Session {
 public:
  virtual ~Session() = default;

  // Bytes from the client. The caller wipes them afterwards.
  virtual void receive(std::string_view bytes, Now now) = 0;
  // The client will send nothing more. Finished answers are still written, unfinished work is
  // dropped; is_over() turns true when all is written.
  virtual void end_of_input(Now now) = 0;
  // The daemon stops: finish what is being checked, release what is held, begin nothing new.
  virtual void drain(Now now) = 0;

  // Mail, see Mailbox.
  virtual void on_answer(uint64_t key, Answer answer, Now now) = 0;
  virtual void on_release(uint64_t key, Now now) = 0;
  virtual void on_wake(uint64_t key, Now now) = 0;

  // When on_deadline() wants to be called; nullopt: never.
  [[nodiscard]] virtual std::optional<Mono> next_deadline() const = 0;
  virtual void on_deadline(Now now) = 0;

  // Bytes for the client, moved out; empty if there are none.
  [[nodiscard]] virtual std::string take_output() = 0;
  // Nothing more will come out: close once the output taken so far is written.
  [[nodiscard]] virtual bool is_over() const = 0;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_SESSION_H_
