#ifndef SASLATCH_PLUGIN_ENDPOINT_H_
#define SASLATCH_PLUGIN_ENDPOINT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace saslatch::plugin {

// One end of the application's connection. Empty and 0 where it is not known.
struct Endpoint {
  std::string ip;  // canonical
  uint16_t port = 0;
};

// Reads libsasl2's `ip;port` (iplocalport, ipremoteport), with or without an IPv6 zone. Anything
// else, a host name for instance, is an unknown end.
Endpoint parse_endpoint(std::string_view text);

}  // namespace saslatch::plugin

#endif  // SASLATCH_PLUGIN_ENDPOINT_H_
