#ifndef SASLATCH_DAEMON_CLI_OPTION_VALUE_H_
#define SASLATCH_DAEMON_CLI_OPTION_VALUE_H_

#include <string>

#include "daemon/cli/command.h"
#include "daemon/config/values.h"
#include "protocol/base/result.h"

namespace saslatch::cli {

// The value of `--option` as saslatch.conf would read it, or `fallback` where it is not given. The
// error says what is accepted.
template <typename V>
Result<V> option_value(const Invocation& invocation, const std::string& option,
                       const config::Kind<V>& kind, V fallback) {
  const auto text = invocation.value(option);
  if (!text) return fallback;
  auto value = kind.parse(*text);
  if (value) return std::move(*value);
  return failure("--" + option + " takes " + kind.accepts);
}

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_OPTION_VALUE_H_
