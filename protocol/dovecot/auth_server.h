#ifndef SASLATCH_PROTOCOL_DOVECOT_AUTH_SERVER_H_
#define SASLATCH_PROTOCOL_DOVECOT_AUTH_SERVER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/dovecot/auth_message.h"
#include "protocol/dovecot/line_reader.h"
#include "protocol/dovecot/request_table.h"

namespace saslatch::dovecot {

class Fields;

// What the server says of itself before the first request.
struct ServerHandshake {
  std::vector<MechanismOffer> mechanisms = {};  // at least one; in the order of EHLO
  uint32_t spid = 0;                            // of the process; the same on the master socket
  uint32_t cuid = 0;                            // unique per connection of the process
  std::array<uint8_t, 16> cookie{};             // random per connection
};

// The user is let in. `user` is 1 to kMaxUser bytes; anything else becomes a FAIL, since Postfix
// and Exim take no OK without a name.
struct OkReply {
  std::string_view user;
  // The mechanism's last message to the client, base64 not yet added.
  std::optional<std::string_view> final_data = std::nullopt;
};

struct FailReply {
  std::string_view user = {};  // as far as a name was read; left out when empty or above kMaxUser
  FailCode code = FailCode::kNone;
  std::string_view reason = {};  // Postfix shows it to the remote side; left out when empty
  std::optional<std::string_view> final_data = std::nullopt;
};

// The server half of one client connection of the Dovecot auth protocol, client minors 0 to 4 and
// later ones. Bytes in through receive(), requests out of next(), replies in, bytes out of
// take_output(). No I/O, no clock, no knowledge of mechanisms. Not thread-safe.
//
// It keeps the table of unfinished requests and answers what needs no daemon: bad base64, responses
// nobody asked for, CANCEL. Everything else is answered by the owner through challenge(), ok() and
// fail(), in any order; they do nothing for an id that is not live, so a request cancelled
// meanwhile is never answered. An id may be used again once it is free: an owner that answers late
// checks that it still means the same request.
class AuthServer {
 public:
  using Event = std::variant<AuthRequest, ContinueRequest, CancelRequest, ProtocolError>;

  // The whole handshake is in take_output() at once, below 1024 bytes for up to twelve usual
  // mechanisms: some clients read once, some wait for DONE before they speak.
  explicit AuthServer(const ServerHandshake& handshake);

  // Takes what the client sent, in pieces of any size. The caller wipes its own copy and then calls
  // next() until nullopt; until it has, at most one line more than `bytes` is held.
  void receive(std::string_view bytes);

  // The next thing the client wants. After a ProtocolError, nullopt for ever.
  [[nodiscard]] std::optional<Event> next();

  // What is to be written, in order; empty if nothing is.
  [[nodiscard]] std::string take_output();
  [[nodiscard]] size_t output_size() const { return output_.size(); }

  // Sends a challenge (may be empty); next() then yields the ContinueRequest. `user` is the name if
  // one was read by now: a FAIL that this half answers on the request carries it.
  void challenge(uint32_t id, std::string_view bytes, std::string_view user = {});

  // The verdict. True when the request is over and its id free. False when `final_data` had to be
  // sent as a challenge, as the client did not say final-resp-ok: the request stays live until the
  // client has answered that one, then the verdict is sent; the owner needs no more than to
  // expire() it in time.
  bool ok(uint32_t id, const OkReply& reply);
  bool fail(uint32_t id, const FailReply& reply);

  // Forgets the request without a word, as Dovecot does after 150 s. A late response to it is told
  // that the request timed out.
  void expire(uint32_t id);

  [[nodiscard]] size_t live_requests() const { return live_.size(); }
  // 0 until the client's VERSION was read.
  [[nodiscard]] uint32_t client_minor() const { return client_minor_; }

 private:
  enum class Phase { kVersion, kCpid, kRequests, kBroken };
  enum class Turn : uint8_t { kOurs, kClient, kFinal };

  struct Live {
    Turn turn = Turn::kOurs;
    bool final_resp_ok = false;
  };
  // What few requests have, apart from Live: that table is moved about when it is long.
  struct Aside {
    std::string user = {};     // from challenge()
    std::string verdict = {};  // the reply to send after the dummy response, LF included
  };

  // These leave `event` empty if there is none; filled in place, as AuthRequest is large.
  void take_line(std::string_view line, std::optional<Event>& event);
  void take_version(std::string_view command, Fields& fields, std::optional<Event>& event);
  void take_auth(Fields& fields, std::optional<Event>& event);
  void take_cont(Fields& fields, std::optional<Event>& event);
  void take_cancel(Fields& fields, std::optional<Event>& event);

  ProtocolError broken(std::string reason);
  CancelRequest fail_broken_request(uint32_t id, FailCode code, std::string_view reason);
  Aside& aside(uint32_t id);
  void refuse(uint32_t id, const FailReply& reply);
  template <typename Write>
  bool decide(uint32_t id, std::optional<std::string_view> final_data, Write write);

  LineReader reader_{kMaxLine};
  Phase phase_ = Phase::kVersion;
  uint32_t client_minor_ = 0;
  RequestTable<Live> live_;
  RequestTable<Aside> aside_;  // of live requests only
  std::string output_;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_AUTH_SERVER_H_
