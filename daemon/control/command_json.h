#ifndef SASLATCH_DAEMON_CONTROL_COMMAND_JSON_H_
#define SASLATCH_DAEMON_CONTROL_COMMAND_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/control/commands.h"
#include "protocol/base/result.h"

// Inside of daemon/control: what its commands share.
namespace saslatch::control {

// Keeps the order in which fields were added: the one the manual shows.
using Json = nlohmann::ordered_json;

// The sysexits values of replies.
constexpr int kExitUsage = 64;
constexpr int kExitBadData = 65;
constexpr int kExitPermission = 77;
constexpr int kExitConfig = 78;

// A request that is not done: the "error" and "exit" of its reply. `more` are further fields.
struct Refused {
  int exit;
  std::string error;
  Json more = Json::object();
};

// The fields of the reply behind "ok": true, or why there is none.
using Outcome = tl::expected<Json, Refused>;

inline tl::unexpected<Refused> refuse(int exit, std::string error) {
  return tl::unexpected<Refused>(Refused{exit, std::move(error), Json::object()});
}

// What one command is given.
struct Call {
  const Json& request;  // an object
  const Peer& peer;
  Now now;
};

// RFC 3339, UTC, whole seconds.
std::string rfc3339(Wall time);
int64_t seconds_between(Wall from, Wall to);

// A field that must be a string, and not an empty one.
tl::expected<std::string, Refused> required_text(const Json& request, std::string_view field);

// The "subject" of the request, its name normalised as a login with it would be.
tl::expected<policy::Subject, Refused> required_subject(const Json& request,
                                                        const DaemonView& daemon);

Outcome run_ping(const Parts& parts, const Call& call);
Outcome run_status(const Parts& parts, const Call& call);
Outcome run_reload(const Parts& parts, const Call& call);
Outcome run_lock_list(const Parts& parts, const Call& call);
Outcome run_lock_add(const Parts& parts, const Call& call);
Outcome run_lock_clear(const Parts& parts, const Call& call);
Outcome run_explain(const Parts& parts, const Call& call);
Outcome run_note_change(const Parts& parts, const Call& call);

}  // namespace saslatch::control

#endif  // SASLATCH_DAEMON_CONTROL_COMMAND_JSON_H_
