#include "plugin/endpoint.h"

#include <gtest/gtest.h>

namespace saslatch::plugin {
namespace {

TEST(Endpoint, FollowsItsTable) {
  const struct {
    const char* text;
    const char* ip;
    uint16_t port;
  } cases[] = {
      {"192.0.2.1;587", "192.0.2.1", 587},
      {"2001:DB8::1;40000", "2001:db8::1", 40000},
      {"::ffff:192.0.2.1;25", "192.0.2.1", 25},
      {"fe80::1%eth0;25", "fe80::1", 25},
      {"192.0.2.1", "192.0.2.1", 0},
      {"192.0.2.1;", "192.0.2.1", 0},
      {"192.0.2.1;65536", "192.0.2.1", 0},
      {"192.0.2.1;25x", "192.0.2.1", 0},
      {"[2001:db8::1];25", "", 0},
      {"mail.example.org;25", "", 0},
      {";25", "", 0},
      {"", "", 0},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const Endpoint endpoint = parse_endpoint(c.text);
    EXPECT_EQ(endpoint.ip, c.ip);
    EXPECT_EQ(endpoint.port, c.port);
  }
}

}  // namespace
}  // namespace saslatch::plugin
