#ifndef SASLATCH_PROTOCOL_SASLAUTHD_REPLY_H_
#define SASLATCH_PROTOCOL_SASLAUTHD_REPLY_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/secret.h"
#include "protocol/saslauthd/request.h"

namespace saslatch::saslauthd {

// libsasl2 reads no more of a reply than this.
inline constexpr size_t kMaxReply = 1023;

// The answer to a request: OK, or NO, which the client takes for a wrong password. For a temporary
// failure there is no answer: the owner closes the connection without one.
struct Reply {
  bool ok = false;
  std::string explanation;  // shown in logs of the client only; may be empty
};

// The bytes to send; then shut the writing side down. An explanation is cut at kMaxReply.
std::string encode_reply(const Reply& reply);

// The client half, for tests and `saslatch test`. A request with a rip has the fifth field, its
// port being 0. Error: a field that a server would refuse.
Result<Secret> encode_request(const Request& request);

// Reads the one reply, however it is cut.
class ReplyParser {
 public:
  // The reply as soon as it is whole, nullopt before that. Error: shorter than two bytes, longer
  // than kMaxReply, or neither OK nor NO. End of input before a reply means a temporary failure.
  [[nodiscard]] Result<std::optional<Reply>> receive(std::string_view bytes);

 private:
  std::string buffer_;
};

}  // namespace saslatch::saslauthd

#endif  // SASLATCH_PROTOCOL_SASLAUTHD_REPLY_H_
