#ifndef SASLATCH_PROTOCOL_DOVECOT_AUTH_CLIENT_H_
#define SASLATCH_PROTOCOL_DOVECOT_AUTH_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"
#include "protocol/dovecot/auth_message.h"
#include "protocol/dovecot/line_reader.h"
#include "protocol/dovecot/request_table.h"
#include "protocol/dovecot/wiped_buffer.h"

namespace saslatch::dovecot {

class Fields;

// MECH lines taken from a server. More than a hundred mechanisms were never registered.
inline constexpr size_t kMaxMechanisms = 100;

// What an AUTH line is made of. Text is borrowed for the call; an empty one is left out.
struct AuthParameters {
  std::string_view mechanism;
  std::string_view service = "smtp";
  std::string_view rip = {}, lip = {};
  uint16_t rport = 0, lport = 0;
  Secured secured = Secured::kNo;
  bool valid_client_cert = false;
  bool no_penalty = false;
  bool nologin = false;
  bool final_resp_ok = false;
  bool debug = false;
  std::string_view session = {}, local_name = {}, client_id = {}, cert_username = {};
  // base64 not yet added. nullopt: none, so the server speaks first; empty: an empty one.
  std::optional<std::string_view> initial_response = std::nullopt;
};

// The server's handshake is complete; AuthClient::server() tells it.
struct ServerReady {};

// The server's challenge, base64 already removed; answered by respond().
struct ChallengeReceived {
  uint32_t id = 0;
  std::string challenge;
};

// The user is in. The request is over, as it is after FailReceived.
struct OkReceived {
  uint32_t id = 0;
  std::string user;  // never empty
  // The mechanism's last message; only with final_resp_ok.
  std::optional<std::string> final_data;
};

struct FailReceived {
  uint32_t id = 0;
  std::string user;  // empty if the server told none
  FailCode code = FailCode::kNone;
  std::string reason;  // meant for the user; may be empty
  std::optional<std::string> final_data;
};

// What the server said of itself.
struct ServerInfo {
  uint32_t minor = 0;
  std::vector<MechanismOffer> mechanisms;
  uint32_t spid = 0;
  uint32_t cuid = 0;
  std::string cookie;

  // The offer of a mechanism, whatever the case of its name; nullptr if there is none. Borrowed.
  [[nodiscard]] const MechanismOffer* find(std::string_view name) const;
};

// The client half of one connection of the Dovecot auth protocol, to our own daemon or to Dovecot
// 2.x. Sans-I/O: bytes in through receive(), replies out of next(), bytes out of take_output().
// Takes its time from nobody: who waits for a reply bounds the wait. Not thread-safe.
class AuthClient {
 public:
  using Event =
      std::variant<ServerReady, ChallengeReceived, OkReceived, FailReceived, ProtocolError>;

  // `cpid` is the process id and not 0. `minor` is the version it speaks: 2 by default, as nothing
  // of a later one is used. VERSION and CPID are in take_output() at once; Dovecot 2.4 waits for
  // them.
  explicit AuthClient(uint32_t cpid, uint32_t minor = 2);

  // Takes what the server sent, in pieces of any size. The caller then calls next() until nullopt.
  void receive(std::string_view bytes);

  // The next thing the server said. After a ProtocolError, nullopt for ever and the connection must
  // be closed. Replies to ids that are not live (cancelled ones) and unknown lines are skipped, as
  // Postfix skips them; an OK without a name lets nobody in and is a ProtocolError.
  [[nodiscard]] std::optional<Event> next();

  // What is to be written, in order. It may hold passwords.
  [[nodiscard]] Secret take_output();

  // Begins an exchange and gives its id, never one of a live request. An Error, and nothing is
  // sent, before ServerReady, with kMaxLiveRequests unfinished, or when the line would be longer
  // than kMaxLine.
  Result<uint32_t> authenticate(const AuthParameters& parameters);

  // Answers the last challenge of `id`. An Error, and nothing is sent, if none waits for an answer
  // or the line would be longer than kMaxLine.
  Result<void> respond(uint32_t id, std::string_view response);

  // Gives the exchange up; no event follows for it.
  void cancel(uint32_t id);

  [[nodiscard]] bool is_ready() const { return phase_ == Phase::kReady; }
  [[nodiscard]] const ServerInfo& server() const { return server_; }
  [[nodiscard]] size_t live_requests() const { return live_.size(); }

 private:
  enum class Phase { kVersion, kHandshake, kReady, kBroken };
  struct Live {
    bool is_challenged = false;
  };

  std::optional<Event> take_line(std::string_view line);
  std::optional<Event> take_handshake(std::string_view command, Fields& fields);
  std::optional<Event> take_reply(std::string_view command, Fields& fields);
  std::optional<Event> take_challenge(uint32_t id, Fields& fields);
  std::optional<Event> take_ok(uint32_t id, Fields& fields);
  std::optional<Event> take_fail(uint32_t id, Fields& fields);
  Event broken(std::string reason);
  // Sends `line`, LF included, and wipes it. False if it is too long.
  bool send(std::string& line);

  LineReader reader_{kMaxLine};
  Phase phase_ = Phase::kVersion;
  ServerInfo server_;
  RequestTable<Live> live_;
  uint32_t last_id_ = 0;
  WipedBuffer output_;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_AUTH_CLIENT_H_
