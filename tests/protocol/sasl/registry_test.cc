#include "protocol/sasl/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/sasl/mechanisms.h"

namespace saslatch::sasl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Registry> offering(std::vector<std::string> offer) {
  return Registry::create(known_mechanisms(), offer);
}

TEST(Registry, OffersInTheConfiguredOrder) {
  const auto registry = offering({"cram-md5", "PLAIN"});
  ASSERT_TRUE(registry);
  ASSERT_EQ(registry->offered().size(), 2u);
  EXPECT_EQ(registry->offered()[0].name, "CRAM-MD5");
  EXPECT_EQ(registry->offered()[1].name, "PLAIN");
}

TEST(Registry, FindsOnlyWhatIsOfferedInAnyCase) {
  const auto registry = offering({"PLAIN", "CRAM-MD5"});
  ASSERT_TRUE(registry);
  for (const char* name : {"PLAIN", "plain", "Plain"}) {
    ASSERT_NE(registry->find(name), nullptr) << name;
    EXPECT_EQ(registry->find(name)->name, "PLAIN");
  }
  ASSERT_NE(registry->find("cram-MD5"), nullptr);
  for (const std::string_view name :
       {std::string_view("LOGIN"), std::string_view(""), std::string_view("PLAI"),
        std::string_view("PLAIN "), std::string_view("PLAIN\0", 6),
        std::string_view("PLA\xc4\xb1N"), std::string_view("CRAM\rMD5")}) {
    EXPECT_EQ(registry->find(name), nullptr) << name;
  }
}

TEST(Registry, SaysWhatItAccepts) {
  const struct {
    std::vector<std::string> offer;
    const char* says;
  } kCases[] = {
      {{}, "no mechanism is offered"},
      {{"PLAIN", "SCRAM-SHA-1"}, "'SCRAM-SHA-1'"},
      {{""}, "unknown mechanism ''"},
      {{"PLAIN", "LOGIN", "plain"}, "'plain' is offered twice"},
  };
  for (const auto& c : kCases) {
    const auto registry = offering(c.offer);
    ASSERT_FALSE(registry) << c.says;
    EXPECT_THAT(registry.error().message, HasSubstr(c.says));
  }
  EXPECT_THAT(offering({"NTLM"}).error().message,
              HasSubstr("accepted: any of PLAIN LOGIN CRAM-MD5"));
}

TEST(Registry, DescribesMechanismsAsDovecotDoes) {
  const auto registry = offering({"PLAIN", "LOGIN", "CRAM-MD5"});
  ASSERT_TRUE(registry);
  EXPECT_THAT(mech_flags(*registry->find("PLAIN")), ElementsAre("plaintext"));
  EXPECT_THAT(mech_flags(*registry->find("LOGIN")), ElementsAre("plaintext"));
  EXPECT_THAT(mech_flags(*registry->find("CRAM-MD5")), ElementsAre("dictionary", "active"));
  EXPECT_TRUE(registry->find("LOGIN")->shows_password);
  EXPECT_FALSE(registry->find("CRAM-MD5")->shows_password);
  const MechanismInfo all{.name = "X",
                          .private_use = true,
                          .anonymous = true,
                          .plaintext = true,
                          .dictionary = true,
                          .active = true,
                          .forward_secrecy = true,
                          .mutual_auth = true};
  EXPECT_THAT(mech_flags(all), ElementsAre("private", "anonymous", "plaintext", "dictionary",
                                           "active", "forward-secrecy", "mutual-auth"));
}

}  // namespace
}  // namespace saslatch::sasl
