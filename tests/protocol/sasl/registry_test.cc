#include "protocol/sasl/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/sasl/mechanisms.h"

namespace saslatch::sasl {
namespace {

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
  for (const MechanismInfo& info : registry->offered()) {
    SCOPED_TRACE(info.name);
    const bool is_cram_md5 = info.name == "CRAM-MD5";
    EXPECT_EQ(info.plaintext, !is_cram_md5);
    EXPECT_EQ(info.shows_password, !is_cram_md5);
    EXPECT_EQ(info.dictionary, is_cram_md5);
    EXPECT_EQ(info.active, is_cram_md5);
    EXPECT_FALSE(info.anonymous || info.private_use || info.forward_secrecy || info.mutual_auth);
  }
  EXPECT_EQ(registry->find("PLAIN")->first_turn, FirstTurn::kClientFirst);
  EXPECT_EQ(registry->find("LOGIN")->first_turn, FirstTurn::kVariable);
  EXPECT_EQ(registry->find("CRAM-MD5")->first_turn, FirstTurn::kServerFirst);
}

}  // namespace
}  // namespace saslatch::sasl
