#include "plugin/endpoint.h"

#include <charconv>

#include "protocol/base/ip_address.h"

namespace saslatch::plugin {

Endpoint parse_endpoint(std::string_view text) {
  const size_t semicolon = text.find(';');
  const std::string_view host = text.substr(0, semicolon);
  // fe80::1%eth0: the zone means something on this machine only.
  const auto ip = IpAddress::parse(host.substr(0, host.find('%')));
  if (!ip) return {};
  Endpoint endpoint{ip->to_string(), 0};
  if (semicolon == std::string_view::npos) return endpoint;
  const std::string_view port = text.substr(semicolon + 1);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error == std::errc() && end == port.data() + port.size()) endpoint.port = number;
  return endpoint;
}

}  // namespace saslatch::plugin
