#include "daemon/config/secret_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace saslatch::config {
namespace {

using testing::HasSubstr;

class SecretFiles : public testing::Test {
 protected:
  SecretFiles() {
    std::string pattern = testing::TempDir() + "secret-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~SecretFiles() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& content, mode_t mode = 0640) {
    const std::string path = folder_ + "/secret";
    std::ofstream(path, std::ios::binary) << content;
    chmod(path.c_str(), mode);
    return path;
  }
  // What is read, or "error: WHY".
  std::string key(const std::string& content) { return said(read_key_file(file(content))); }
  std::string password(const std::string& content) {
    return said(read_password_file(file(content)));
  }
  static std::string said(const Result<Secret>& secret) {
    return secret ? std::string(secret->reveal()) : "error: " + secret.error().message;
  }

  std::string folder_;
};

// 32 bytes that are no text, and the same in base64 and hexadecimal.
const std::string kKey(
    "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"
    "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0a",
    32);
const std::string kBase64 = "gIGCg4SFhoeIiYqLjI2OjwABAgMEBQYHCAkKCwwNDgo=";
const std::string kHex = "808182838485868788898A8b8c8d8e8f000102030405060708090a0b0c0d0e0a";

TEST_F(SecretFiles, AKeyIsTheSameInEachOfItsForms) {
  EXPECT_EQ(key(kKey), kKey);
  EXPECT_EQ(key(kBase64), kKey);
  EXPECT_EQ(key("\n" + kBase64 + " \r\n"), kKey);
  EXPECT_EQ(key(kHex + "\n"), kKey);
}

TEST_F(SecretFiles, AKeyIsLongAndNoPassphrase) {
  EXPECT_THAT(key(kKey.substr(1)), HasSubstr("error: holds 31 bytes"));
  EXPECT_THAT(key(kHex.substr(2)), HasSubstr("error: holds 31 bytes"));
  EXPECT_THAT(key(""), HasSubstr("error: holds 0 bytes"));
  EXPECT_EQ(key("correct horse battery staple, and then some more"),
            "error: is text, but neither base64 nor hexadecimal");
  EXPECT_EQ(key(std::string(kMaxKeyFileBytes + 1, '\x01')), "error: is longer than 4096 bytes");
}

TEST_F(SecretFiles, APasswordIsTheFirstLine) {
  EXPECT_EQ(password("s3cret \n"), "s3cret ");
  EXPECT_EQ(password("s3cret"), "s3cret");
  EXPECT_EQ(password("s3cret\r\nrest"), "s3cret");
  EXPECT_EQ(password("\n"), "error: its first line is empty");
  EXPECT_EQ(password("a\tb\n"), "error: its first line is no password");
  EXPECT_EQ(password(std::string(kMaxPasswordBytes, 'a') + "\n").size(), kMaxPasswordBytes);
  EXPECT_THAT(password(std::string(kMaxPasswordBytes + 1, 'a')), HasSubstr("error: "));
}

TEST_F(SecretFiles, WhatOthersMayReadIsNotUsed) {
  for (const mode_t mode : {0644, 0602, 0641}) {
    EXPECT_THAT(said(read_key_file(file(kBase64, mode))), HasSubstr("chmod o= " + folder_));
    EXPECT_THAT(said(read_password_file(file("x", mode))), HasSubstr("chmod o= " + folder_));
  }
  EXPECT_EQ(said(read_key_file(file(kBase64, 0440))), kKey);
}

TEST_F(SecretFiles, OtherThanFilesAreRefused) {
  EXPECT_EQ(said(read_key_file(folder_ + "/none")), "error: No such file or directory");
  EXPECT_EQ(said(read_key_file(folder_)), "error: is no regular file");
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(said(read_password_file(pipe)), "error: is no regular file");
}

}  // namespace
}  // namespace saslatch::config
