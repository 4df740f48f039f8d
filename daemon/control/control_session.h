#ifndef SASLATCH_DAEMON_CONTROL_CONTROL_SESSION_H_
#define SASLATCH_DAEMON_CONTROL_CONTROL_SESSION_H_

#include <cstddef>
#include <string>

#include "daemon/control/commands.h"
#include "daemon/session/session.h"

namespace saslatch::control {

// The control socket (RUN-DIR/control, mode 0600): one JSON object a line in, one a line out, in
// the order of the requests.
//
//   C: {"command":"lock clear","subject":"user:alice"}
//   S: {"ok":true,"cleared":1}
//   C: {"command":"nonsense"}
//   S: {"ok":false,"error":"unknown command 'nonsense'; there is ...","exit":64}
//
// "exit" is the sysexits value for a program that gives up because of the error. A line that is no
// JSON object is answered and the connection goes on; one beyond kMaxRequest is answered and ends
// it, since nobody knows where the next request begins.
//
// A command runs inside receive() and may take as long as a reload: net/ runs control sessions on a
// loop of their own, never on one that serves logins.
class ControlSession final : public Session {
 public:
  // The longest request with its newline: the longest names, subjects and reasons, many times over.
  static constexpr size_t kMaxRequest = 16384;
  // `watch` asks every second; who says nothing for this long has gone to lunch, and a descriptor
  // should not wait for him.
  static constexpr std::chrono::minutes kIdle{5};

  // `commands` outlives the session.
  ControlSession(const Peer& peer, Commands& commands, Now now);

  void receive(std::string_view bytes, Now now) override;
  // What was asked is answered by then; a line without an end is dropped.
  void end_of_input(Now now) override;
  void drain(Now now) override;

  // No command waits for mail.
  void on_answer(uint64_t, Answer, Now) override {}
  void on_release(uint64_t, Now) override {}
  void on_wake(uint64_t, Now) override {}

  [[nodiscard]] std::optional<Mono> next_deadline() const override;
  void on_deadline(Now now) override;

  [[nodiscard]] std::string take_output() override;
  [[nodiscard]] bool is_over() const override { return over_; }

 private:
  Peer peer_;
  Commands& commands_;
  Mono idle_until_;
  std::string line_;  // a request without its end so far
  std::string output_;
  bool over_ = false;
};

}  // namespace saslatch::control

#endif  // SASLATCH_DAEMON_CONTROL_CONTROL_SESSION_H_
