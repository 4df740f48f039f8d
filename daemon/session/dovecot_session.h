#ifndef SASLATCH_DAEMON_SESSION_DOVECOT_SESSION_H_
#define SASLATCH_DAEMON_SESSION_DOVECOT_SESSION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "daemon/session/answer_book.h"
#include "daemon/session/session_parts.h"
#include "protocol/dovecot/auth_server.h"
#include "protocol/sasl/server_mechanism.h"

namespace saslatch {

// A client of the Dovecot auth protocol: Postfix, Exim, chasquid, doveadm. Runs the mechanisms
// between the protocol's server half and the attempts.
class DovecotSession final : public Session {
 public:
  // Unfinished exchanges are dropped without a word after this long, as in Dovecot: an smtpd whose
  // client gave up never says so.
  static constexpr std::chrono::seconds kExchangeLifetime{150};

  explicit DovecotSession(SessionParts parts);

  void receive(std::string_view bytes, Now now) override;
  void end_of_input(Now now) override;
  void drain(Now now) override;
  void on_answer(uint64_t key, Answer answer, Now now) override;
  void on_release(uint64_t key, Now now) override;
  void on_wake(uint64_t key, Now now) override;
  [[nodiscard]] std::optional<Mono> next_deadline() const override;
  void on_deadline(Now now) override;
  [[nodiscard]] std::string take_output() override;
  [[nodiscard]] bool is_over() const override;

 private:
  struct Exchange {
    std::unique_ptr<sasl::ServerMechanism> mechanism;
    ClientFacts client;
    Mono expires;
    uint64_t key = 0;  // of the attempt, once there is one
  };
  using Exchanges = std::unordered_map<uint32_t, Exchange>;

  void take(dovecot::AuthRequest&& request, Now now);
  void take(const dovecot::ContinueRequest& request, Now now);
  void take(const dovecot::CancelRequest& request, Now now);
  void take(const dovecot::ProtocolError& error, Now now);

  // Does what the mechanism wants next; `exchange` is in no table yet, or taken out of it. Handed
  // on by reference: moving their dozen strings from call to call was a tenth of a login.
  void step(uint32_t id, Exchange&& exchange, sasl::Step&& step, Now now);
  void attempt(uint32_t id, Exchange&& exchange, AttemptRequest&& request, Now now);
  void refuse(uint32_t id, const ClientFacts& client, std::string_view authcid, AuthCause cause,
              Now now);
  void wait_for(uint32_t id, Exchange&& exchange, uint64_t key);
  void write_ready();
  void conclude(uint32_t id, Exchange& exchange, const Answer& answer);
  void expire_exchanges(Now now);

  SessionParts parts_;
  std::shared_ptr<const Settings> settings_;  // of the latest AUTH
  ListenerSettings listener_;                 // its part for us
  dovecot::AuthServer server_;
  AnswerBook book_;
  Exchanges exchanges_;
  std::unordered_map<uint64_t, uint32_t> ids_;  // of the requests whose attempts are in the book
  std::optional<Mono> expiry_check_;            // no exchange expires before
  bool input_ended_ = false;
  bool draining_ = false;
  bool closing_ = false;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_DOVECOT_SESSION_H_
