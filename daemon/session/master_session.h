#ifndef SASLATCH_DAEMON_SESSION_MASTER_SESSION_H_
#define SASLATCH_DAEMON_SESSION_MASTER_SESSION_H_

#include <string>
#include <vector>

#include "daemon/session/session_parts.h"
#include "protocol/dovecot/master_server.h"

namespace saslatch {

// A client of a userdb socket: chasquid asks whether a user exists, doveadm what he is and who else
// there is. Lookups run on workers; no password is seen here, nothing is counted.
class MasterSession final : public Session {
 public:
  // `only_uid`: a client that learns of accounts with this uid alone, and of no list. Whatever else
  // it asks is answered as a temporary failure, since "no such user" would bounce mail.
  explicit MasterSession(SessionParts parts, std::optional<uint32_t> only_uid = std::nullopt);

  void receive(std::string_view bytes, Now now) override;
  void end_of_input(Now now) override;
  void drain(Now now) override;
  void on_answer(uint64_t, Answer, Now) override {}
  void on_release(uint64_t, Now) override {}
  void on_wake(uint64_t, Now) override {}
  [[nodiscard]] std::optional<Mono> next_deadline() const override { return std::nullopt; }
  void on_deadline(Now) override {}
  [[nodiscard]] std::string take_output() override { return server_.take_output(); }
  [[nodiscard]] bool is_over() const override;

 private:
  class LookupJob;
  class ListJob;

  void pull(Now now);
  void take(const dovecot::UserRequest& request, Now now);
  void take(const dovecot::ListRequest& request, Now now);
  void take(const dovecot::ProtocolError& error, Now now);
  void say_restricted(uint32_t id);
  void on_found(uint32_t id, const passdb::Lookup& lookup);
  void on_listed(uint32_t id, const std::vector<std::string>& names, bool is_whole, Now now);

  SessionParts parts_;
  const std::optional<uint32_t> only_uid_;
  dovecot::MasterServer server_;
  bool closing_ = false;
  bool ending_ = false;  // no more requests; what is under way is still answered
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_MASTER_SESSION_H_
