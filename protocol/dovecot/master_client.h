#ifndef SASLATCH_PROTOCOL_DOVECOT_MASTER_CLIENT_H_
#define SASLATCH_PROTOCOL_DOVECOT_MASTER_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/base/result.h"
#include "protocol/dovecot/auth_message.h"
#include "protocol/dovecot/line_reader.h"
#include "protocol/dovecot/master_server.h"

namespace saslatch::dovecot {

struct UserFound {
  uint32_t id = 0;
  std::string name;
  std::optional<uint32_t> uid, gid;  // absent if the server told none or no number
  std::string home;
};

struct UserNotFound {
  uint32_t id = 0;
};

// The server could not tell.
struct LookupFailed {
  uint32_t id = 0;
  std::string reason;
};

struct ListEntry {
  uint32_t id = 0;
  std::string name;
};

struct ListDone {
  uint32_t id = 0;
  bool is_whole = false;
};

// The client half of one connection of the Dovecot master protocol: USER and LIST. Driven like
// AuthClient; the owner takes care of which ids it waits for. Not thread-safe.
class MasterClient {
 public:
  using Event =
      std::variant<UserFound, UserNotFound, LookupFailed, ListEntry, ListDone, ProtocolError>;

  // VERSION is in take_output() at once.
  MasterClient();

  void receive(std::string_view bytes);

  // The next reply. After a ProtocolError, nullopt for ever and the connection must be closed.
  // Unknown lines are skipped.
  [[nodiscard]] std::optional<Event> next();
  [[nodiscard]] std::string take_output();

  // Both give the id of the request, or an Error if the line would be longer than
  // kMaxMasterRequestLine.
  Result<uint32_t> user(std::string_view name, std::string_view service);
  Result<uint32_t> list(std::string_view mask, std::string_view service);

 private:
  std::optional<Event> take_line(std::string_view line);
  Event broken(std::string reason);
  Result<uint32_t> send(std::string_view command, std::string_view what_name, std::string_view what,
                        std::string_view service);

  LineReader reader_{kMaxMasterReplyLine};
  bool greeted_ = false;
  bool broken_ = false;
  uint32_t last_id_ = 0;
  std::string output_;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_MASTER_CLIENT_H_
