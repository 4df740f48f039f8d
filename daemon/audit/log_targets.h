#ifndef SASLATCH_DAEMON_AUDIT_LOG_TARGETS_H_
#define SASLATCH_DAEMON_AUDIT_LOG_TARGETS_H_

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/audit/log.h"
#include "protocol/base/result.h"

namespace saslatch {

// [daemon] log-target.
enum class LogTarget { kStderr, kSyslog, kJournal };

// False where the program was built without libsystemd.
bool journal_is_supported();

// The daemon's log; lines below `level` are left out.
//
// stderr:  2026-07-01T09:30:00.123Z info saslatchd: NAME: text key=value key="a value"
//          (or, where stderr is the journal, <6>saslatchd: NAME: ..., so that it knows the
//          priority)
// syslog:  NAME: text key=value ... as `saslatchd[PID]`, facility mail
// journal: the same as MESSAGE, and PRIORITY, SASLATCH_NAME and a SASLATCH_KEY for each field;
//          syslog where no journal runs
//
// An error if `target` is kJournal and journal_is_supported() is false. One log at a time: syslog's
// identity is the process's.
Result<std::unique_ptr<Log>> make_log(LogTarget target, LogLevel level);

// "NAME: text key=value ..." in the quoting of append_log_value(). Pure.
std::string format_log_line(std::string_view name, std::string_view text,
                            std::initializer_list<LogField> fields);

// Nobody can forge a line or a field: a value stands bare only if it is made of letters, digits and
// ._:@/+,%~- alone and is not empty; any other is a JSON string, with quotes, in which controls,
// invalid UTF-8 and bidirectional overrides are escaped and kMaxAuditString is the limit.
void append_log_value(std::string_view value, std::string& out);

std::string_view to_string(LogLevel level);

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_AUDIT_LOG_TARGETS_H_
