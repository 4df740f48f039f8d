#ifndef SASLATCH_DAEMON_SESSION_SASLAUTHD_SESSION_H_
#define SASLATCH_DAEMON_SESSION_SASLAUTHD_SESSION_H_

#include "daemon/session/answer_book.h"
#include "daemon/session/session_parts.h"
#include "protocol/saslauthd/request.h"

namespace saslatch {

// A client of the saslauthd mux protocol, libsasl2 with `pwcheck_method: saslauthd`: one request,
// one reply, the end. A temporary failure closes without a reply, which libsasl2 reports as such.
class SaslauthdSession final : public Session {
 public:
  // How long the fifth field may still come after the fourth. libsasl2 writes its four at once and
  // waits for the answer: of a request in one piece a further one would be right behind.
  static constexpr std::chrono::milliseconds kFifthFieldPatience{5};
  static constexpr std::chrono::microseconds kSecondPiecePatience{300};

  explicit SaslauthdSession(SessionParts parts);

  void receive(std::string_view bytes, Now now) override;
  void end_of_input(Now now) override;
  void drain(Now now) override;
  void on_answer(uint64_t key, Answer answer, Now now) override;
  void on_release(uint64_t key, Now now) override;
  void on_wake(uint64_t key, Now now) override;
  [[nodiscard]] std::optional<Mono> next_deadline() const override;
  void on_deadline(Now now) override;
  [[nodiscard]] std::string take_output() override { return std::exchange(output_, {}); }
  [[nodiscard]] bool is_over() const override { return over_; }

 private:
  void ask(Now now);
  void write_ready();
  void reply(const Answer& answer);

  SessionParts parts_;
  saslauthd::RequestParser parser_;
  AnswerBook book_;
  bool is_in_pieces_ = false;
  std::optional<Mono> fifth_until_;
  bool asked_ = false;
  bool draining_ = false;
  bool over_ = false;
  std::string output_;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_SASLAUTHD_SESSION_H_
