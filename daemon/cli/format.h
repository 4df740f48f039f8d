#ifndef SASLATCH_DAEMON_CLI_FORMAT_H_
#define SASLATCH_DAEMON_CLI_FORMAT_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/cli/console.h"

namespace saslatch::cli {

// "45s", "12m", "3h 20m", "5d 4h": the two largest units, for people.
std::string format_duration(std::chrono::seconds duration);

// "2026-07-01T09:30:00Z", RFC 3339 in UTC as everywhere.
std::string format_time(std::chrono::sys_seconds time);

// "2026-07-01T09:30:00.123456Z" without its fraction; other text as it is.
std::string without_fraction(std::string_view time);

// "1 lock", "3 locks".
std::string counted(uint64_t count, std::string_view singular);

// ASCII letters only, as mechanisms and schemes have them.
std::string upper_case(std::string_view text);

// A field of a reply by its name; a missing one, or one of another type, reads as empty or 0, so
// that an older daemon's answer is shown as far as it goes.
std::string text_field(const Json& object, std::string_view name);
int64_t number_field(const Json& object, std::string_view name);
bool bool_field(const Json& object, std::string_view name);
// An object or array; an empty object if there is none.
const Json& part(const Json& object, std::string_view name);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_FORMAT_H_
