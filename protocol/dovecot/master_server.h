#ifndef SASLATCH_PROTOCOL_DOVECOT_MASTER_SERVER_H_
#define SASLATCH_PROTOCOL_DOVECOT_MASTER_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/dovecot/auth_message.h"
#include "protocol/dovecot/line_reader.h"
#include "protocol/dovecot/request_table.h"

namespace saslatch::dovecot {

class Fields;

// Lines of the master protocol: what Dovecot's server reads, and what its client does.
inline constexpr size_t kMaxMasterRequestLine = 1024;
inline constexpr size_t kMaxMasterReplyLine = 8192;

// Unfinished requests of one connection. Known clients have one; at the bound a request is answered
// FAIL.
inline constexpr size_t kMaxLiveMasterRequests = 256;

// Does this user exist, and what is he? Answered by found(), not_found() or fail().
struct UserRequest {
  uint32_t id = 0;
  std::string name;
  std::string service;  // `service=`, or `protocol=` from Dovecot 2.4
};

// Every user that matches `mask` (`*` and `?`, case-insensitive). Answered by any number of
// list_entry() and one list_done().
struct ListRequest {
  uint32_t id = 0;
  std::string mask;     // "*" if the client sent none
  std::string service;  // may be empty
};

struct UserReply {
  std::string_view name;  // the canonical one
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string_view home = {};  // left out when empty
};

// The server half of one connection of the Dovecot master protocol as a userdb socket speaks it:
// USER and LIST; PASS is refused with FAIL, since no passdb field leaves the daemon. Driven like
// AuthServer. Not thread-safe.
//
// As in Dovecot, input waits while a LIST is answered: next() is nullopt until list_done().
class MasterServer {
 public:
  using Event = std::variant<UserRequest, ListRequest, ProtocolError>;

  // The whole handshake, two lines, is in take_output() at once; chasquid takes no third one.
  explicit MasterServer(uint32_t spid);

  // Takes what the client sent, in pieces of any size. While a LIST is being answered nothing is
  // taken out of it, so the caller does not read on then (is_listing()).
  void receive(std::string_view bytes) { reader_.append(bytes); }

  // The next thing the client wants. After a ProtocolError, nullopt for ever.
  [[nodiscard]] std::optional<Event> next();

  // What is to be written, in order; empty if nothing is.
  [[nodiscard]] std::string take_output();
  [[nodiscard]] size_t output_size() const { return output_.size(); }

  // The answer to a UserRequest. A reply that no client could read (above kMaxMasterReplyLine)
  // becomes FAIL. For an id that is not live they do nothing.
  void found(uint32_t id, const UserReply& reply);
  void not_found(uint32_t id);
  // `reason` may be empty. An own trouble, so a client tries again or gives a temporary error.
  void fail(uint32_t id, std::string_view reason = {});

  // The answer to the ListRequest under way. Names that no client could read are left out.
  // `is_whole` is false when the list could not be read to its end.
  void list_entry(uint32_t id, std::string_view name);
  void list_done(uint32_t id, bool is_whole);

  [[nodiscard]] bool is_listing() const { return listing_.has_value(); }
  [[nodiscard]] size_t live_requests() const { return live_.size(); }

 private:
  struct Live {};

  std::optional<Event> take_line(std::string_view line);
  std::optional<Event> take_user(Fields& fields);
  std::optional<Event> take_list(Fields& fields);
  std::optional<Event> take_pass(Fields& fields);
  // False if the request was answered here: too many are live.
  bool begin(uint32_t id);
  std::optional<Event> check_id(std::optional<uint32_t> id);
  Event broken(std::string reason);

  LineReader reader_{kMaxMasterRequestLine};
  bool greeted_ = false;
  bool broken_ = false;
  RequestTable<Live> live_;
  std::optional<uint32_t> listing_;  // the id of the LIST under way
  std::string output_;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_MASTER_SERVER_H_
