#include "daemon/policy/subject.h"

#include <gtest/gtest.h>

namespace saslatch::policy {
namespace {

TEST(Subject, IsReadAndWrittenAlike) {
  const struct {
    const char* text;
    const char* canonical;
  } kCases[] = {
      {"user:alice", "user:alice"},
      {"user:a,b:c", "user:a,b:c"},
      {"ip:192.0.2.1", "ip:192.0.2.1"},
      {"ip:::ffff:192.0.2.1", "ip:192.0.2.1"},
      {"ip:2001:DB8::1", "ip:2001:db8::1"},
      {"network:192.0.2.77/24", "network:192.0.2.0/24"},
      {"network:192.0.2.7/32", "ip:192.0.2.7"},
      {"network:2001:db8::/48", "network:2001:db8::/48"},
      {"user+network:alice,192.0.2.0/24", "user+network:alice,192.0.2.0/24"},
      {"user+network:a,b,::1", "user+network:a,b,::1/128"},
      {"user+network:alice,unknown", "user+network:alice,unknown"},
      {"everyone", "everyone"},
      {"password", "password"},
  };
  for (const auto& c : kCases) {
    const auto subject = Subject::parse(c.text);
    ASSERT_TRUE(subject) << c.text << ": " << subject.error().message;
    EXPECT_EQ(subject->to_string(), c.canonical);
    const auto again = Subject::parse(c.canonical);
    ASSERT_TRUE(again) << c.canonical;
    EXPECT_EQ(again->to_string(), c.canonical);
  }
}

TEST(Subject, SaysWhatItAccepts) {
  for (const char* text :
       {"", "alice", "user:", "ip:", "ip:192.0.2.0/24", "ip:unknown", "network:", "network:unknown",
        "network:192.0.2.0/33", "user+network:alice", "user+network:,192.0.2.0/24",
        "user+network:alice,", "password:secret", "everyone:1", "User:alice"}) {
    const auto subject = Subject::parse(text);
    ASSERT_FALSE(subject) << text;
    EXPECT_NE(subject.error().message.find("accepted: user:NAME"), std::string::npos);
  }
}

}  // namespace
}  // namespace saslatch::policy
