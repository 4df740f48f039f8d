#ifndef SASLATCH_DAEMON_CONTROL_CODES_SESSION_H_
#define SASLATCH_DAEMON_CONTROL_CODES_SESSION_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/passdb/code_book.h"
#include "daemon/passdb/code_store.h"
#include "daemon/session/answer_book.h"
#include "daemon/session/session_parts.h"

namespace saslatch::control {

// What the door works on, besides what sessions have; each outlives the sessions.
struct CodesDoor {
  std::string state_dir;
  Random& random;
  passdb::CodeBook& book;
};

// A client of a listener with `protocol = codes`: a web mailer or portal that lets a user manage
// the codes of his own account (docs/CODES.md, "The self-service door"). One JSON object a line in,
// one a line out. The first command proves the account by its own main password, which is checked,
// counted, delayed and written down as any login is; from then on the session may list, add and
// revoke the codes of that account and can do nothing else, and of no other account.
//
//   C: {"command":"login","user":"alice","password":"...","rip":"203.0.113.9"}
//   S: {"ok":true,"user":"alice"}
//   C: {"command":"code add","label":"Phone"}
//   S: {"ok":true,"id":1,"label":"Phone","code":"7k4m-q2xd-9s0f-b3hw"}
//
// A code proves nobody here: whoever finds a phone must not make codes with it. The proof ends
// kProofLasts after the login, and at once when the account's password changes or it is disabled.
//
// Reads and writes the database inside receive(): net/ runs these sessions on the loop of the
// control socket, never on one that serves logins.
class CodesSession final : public Session {
 public:
  static constexpr size_t kMaxRequest = 16384;
  static constexpr std::chrono::minutes kProofLasts{5};
  static constexpr std::chrono::minutes kIdle{5};

  CodesSession(SessionParts parts, CodesDoor& door, Now now);
  ~CodesSession() override;

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
  class Request;

  void pull(Now now);
  void answer(std::string_view line, Now now);
  void login(const Request& request, Now now);
  void finish_login(const Answer& answer, Now now);
  void write_ready(Now now);
  void list(Now now);
  void add(const Request& request, Now now);
  void revoke(const Request& request, Now now);
  // Whether the account is still proven; says so to the client where it is not.
  [[nodiscard]] bool is_proven(Now now);
  [[nodiscard]] std::string stamp_now(Now now) const;
  [[nodiscard]] std::unique_ptr<passdb::CodeStore> open_store();
  void audit(const char* command, const std::string& what, Now now, const std::string& reason);
  void refuse(int exit, const std::string& error);
  void refuse(const passdb::StoreError& error);

  SessionParts parts_;
  CodesDoor& door_;
  AnswerBook book_;
  Mono idle_until_;
  std::string input_;  // what is not answered yet; wiped, since passwords come in it
  bool is_checking_ = false;
  std::string name_;     // that was logged in with, as normalised
  std::string account_;  // proven; empty: none
  std::string stamp_;    // of its credentials then
  Mono proven_until_{};
  bool ending_ = false;    // nothing more comes
  bool draining_ = false;  // the daemon stops: nothing is held any longer
  bool over_ = false;
  std::string output_;
};

}  // namespace saslatch::control

#endif  // SASLATCH_DAEMON_CONTROL_CODES_SESSION_H_
