#include "protocol/base/ip_address.h"

#include <gtest/gtest.h>

namespace saslatch {
namespace {

TEST(IpAddress, HasOneCanonicalForm) {
  const struct {
    const char* text;
    const char* canonical;
  } kCases[] = {{"192.0.2.1", "192.0.2.1"},
                {"::ffff:192.0.2.1", "192.0.2.1"},
                {"::FFFF:C000:201", "192.0.2.1"},
                {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
                {"::1", "::1"}};
  for (const auto& c : kCases) {
    const auto address = IpAddress::parse(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(address->to_string(), c.canonical);
    EXPECT_EQ(*address, *IpAddress::parse(c.canonical));
  }
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
  for (const std::string& text :
       {std::string(""), std::string("192.0.2"), std::string("192.0.2.256"),
        std::string("192.0.2.01"), std::string("[::1]"), std::string("fe80::1%eth0"),
        std::string("192.0.2.1:25"), std::string("localhost"), std::string(" ::1"),
        std::string("::1\0", 4), std::string(500, '1')}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(Network, HoldsWhatItsPrefixSays) {
  const auto network = Network::parse("2001:db8:1:2:3::/64");
  ASSERT_TRUE(network);
  EXPECT_EQ(network->to_string(), "2001:db8:1:2::/64");
  EXPECT_TRUE(network->contains(*IpAddress::parse("2001:db8:1:2:ffff::9")));
  EXPECT_FALSE(network->contains(*IpAddress::parse("2001:db8:1:3::")));
  EXPECT_EQ(Network::parse("10.1.2.3/8")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(Network::parse("10.1.2.3")->to_string(), "10.1.2.3/32");
  EXPECT_EQ(Network::parse("::ffff:10.0.0.0/104")->to_string(), "10.0.0.0/8");
  EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("203.0.113.9")));
  EXPECT_FALSE(Network::parse("::/0")->contains(*IpAddress::parse("203.0.113.9")));
}

TEST(Network, RefusesNonsenseAndSaysWhatItTakes) {
  for (const char* text : {"", "/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/",
                           "::1/129", "::ffff:10.0.0.0/64", "host/8"}) {
    const auto network = Network::parse(text);
    ASSERT_FALSE(network) << text;
    EXPECT_NE(network.error().message.find("accepted"), std::string::npos);
  }
}

}  // namespace
}  // namespace saslatch
