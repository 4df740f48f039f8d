#include "protocol/base/base64.h"

#include <gtest/gtest.h>

namespace saslatch {
namespace {

TEST(Base64, EncodesTheVectorsOfRfc4648) {
  const struct {
    const char* plain;
    const char* encoded;
  } kVectors[] = {{"", ""},
                  {"f", "Zg=="},
                  {"fo", "Zm8="},
                  {"foo", "Zm9v"},
                  {"foob", "Zm9vYg=="},
                  {"fooba", "Zm9vYmE="},
                  {"foobar", "Zm9vYmFy"}};
  for (const auto& v : kVectors) {
    EXPECT_EQ(base64_encode(v.plain), v.encoded);
    EXPECT_EQ(base64_decode(v.encoded), v.plain);
  }
}

TEST(Base64, RefusesWhatIsNotStrict) {
  for (const char* text :
       {"Zg", "Zg=", "Zg===", "Zm8", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", " Zm9v", "Zm9v=", "=",
        "==", "====", "Z===", "Zg==Zg==", "Zm-v", "Zm_v", "Zm9\x80"}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
    EXPECT_FALSE(base64_decode_secret(text)) << text;
  }
}

TEST(Base64, UnpaddedTakesNoPadding) {
  EXPECT_EQ(base64_decode_unpadded("Zg"), "f");
  EXPECT_EQ(base64_decode_unpadded("Zm8"), "fo");
  EXPECT_EQ(base64_decode_unpadded("Zg=="), std::nullopt);
  EXPECT_EQ(base64_decode_unpadded("Z"), std::nullopt);
}

TEST(Base64, KeepsEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(base64_decode(base64_encode(all)), all);
  EXPECT_EQ(hex_decode(hex_encode(all)), all);
  EXPECT_EQ(base64_decode_secret(base64_encode(all))->reveal(), all);
}

TEST(Hex, TakesEitherCaseAndRefusesTheRest) {
  EXPECT_EQ(hex_decode("0aFf"), "\x0a\xff");
  EXPECT_EQ(hex_decode("0"), std::nullopt);
  EXPECT_EQ(hex_decode("0g"), std::nullopt);
}

}  // namespace
}  // namespace saslatch
