// Frames, and what PAM's return values mean. A real PAM is in
// tests/integration/test_directories.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <security/pam_appl.h>

#include "daemon/passdb/pam/pam_check.h"
#include "daemon/passdb/pam/pam_frames.h"

namespace saslatch::passdb {
namespace {

using namespace std::string_literals;

PamQuestion question(std::string user = "alice", std::string password = "pw") {
  return {"smtp", std::move(user), "192.0.2.7", Secret(password), false};
}

std::string body_of(std::string_view frame) {
  const auto size = frame_size(frame.substr(0, kPamHeader));
  EXPECT_TRUE(size);
  EXPECT_EQ(frame.size(), kPamHeader + size.value_or(0));
  return std::string(frame.substr(kPamHeader));
}

TEST(PamFrames, ComeOutAsTheyWentIn) {
  const std::string longest(kMaxPamText, 'x');
  for (const std::string& password : {"pw"s, ""s, longest, "b\xc3\xbc\x01\xff"s}) {
    const auto frame = encode(question("alice", password));
    ASSERT_TRUE(frame);
    const auto back = decode_question(body_of(frame->reveal()));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->service, "smtp");
    EXPECT_EQ(back->user, "alice");
    EXPECT_EQ(back->rhost, "192.0.2.7");
    EXPECT_EQ(back->password.reveal(), password);
    EXPECT_FALSE(back->account_only);
  }
  const auto answer =
      decode_answer(body_of(encode(PamAnswer{ProofVerdict::kDisabled, std::string(5000, 'r')})));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->verdict, ProofVerdict::kDisabled);
  EXPECT_EQ(answer->reason.size(), kMaxPamText);
}

TEST(PamFrames, AreNotMadeOfWhatPamCannotBeAsked) {
  EXPECT_FALSE(encode(question("alice", std::string(kMaxPamText + 1, 'x'))));
  EXPECT_FALSE(encode(question("ali\0ce"s)));
  EXPECT_FALSE(encode(question("alice", "p\0w"s))) << "what is before the NUL is another password";
}

TEST(PamFrames, AreRefusedWhereTheyAreNotWhole) {
  const std::string whole = body_of(encode(question())->reveal());
  ASSERT_TRUE(decode_question(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_question(std::string_view(whole).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_question(whole + "x"));
  EXPECT_FALSE(decode_question("Q2A" + whole.substr(3)));
  EXPECT_FALSE(decode_question("Q1A\0\0\0\1a\0\0\0\0"s)) << "no service";
  EXPECT_FALSE(decode_question("Q1A\0\1a\0\0\0\0\0\0"s)) << "no user";
  EXPECT_FALSE(decode_answer("R1x\0\0"s));
  EXPECT_FALSE(decode_answer("R1r"));
  EXPECT_FALSE(decode_answer("R1r\0\0x"s));
  for (const std::string& header : {"\0\0\0\0"s, "\0\1\0\0"s, "\xff\xff\xff\xff"s, "\0\0\1"s}) {
    EXPECT_FALSE(frame_size(header));
  }
}

TEST(PamVerdict, TellsOurTroubleFromAWrongPassword) {
  using V = ProofVerdict;
  const std::tuple<int, V, V> kTable[] = {
      // value, of pam_authenticate, of pam_acct_mgmt
      {PAM_SUCCESS, V::kRight, V::kRight},
      {PAM_AUTH_ERR, V::kWrong, V::kDisabled},
      {PAM_PERM_DENIED, V::kWrong, V::kDisabled},
      {PAM_USER_UNKNOWN, V::kUnknownUser, V::kUnknownUser},
      {PAM_ACCT_EXPIRED, V::kDisabled, V::kDisabled},
      {PAM_NEW_AUTHTOK_REQD, V::kDisabled, V::kDisabled},
      {PAM_MAXTRIES, V::kDisabled, V::kUnavailable},
      {PAM_AUTHINFO_UNAVAIL, V::kUnavailable, V::kUnavailable},
      {PAM_CRED_INSUFFICIENT, V::kUnavailable, V::kUnavailable},
      {PAM_SYSTEM_ERR, V::kUnavailable, V::kUnavailable},
      {PAM_CONV_ERR, V::kUnavailable, V::kUnavailable},
      {PAM_IGNORE, V::kUnavailable, V::kUnavailable},
      {9999, V::kUnavailable, V::kUnavailable},
  };
  for (const auto& [value, authenticate, account] : kTable) {
    EXPECT_EQ(verdict_of_authenticate(value), authenticate) << value;
    EXPECT_EQ(verdict_of_account(value), account) << value;
  }
}

TEST(PamVerdict, OfAServiceThatNobodyHasSetUpIsOurTrouble) {
  PamQuestion asked = question();
  for (const char* service : {"no-such-service", "../pam.d/other"}) {
    asked.service = service;
    EXPECT_EQ(ask_pam(asked, "/nowhere").verdict, ProofVerdict::kUnavailable);
    EXPECT_EQ(ask_pam(asked, "").verdict, ProofVerdict::kUnavailable);
  }
}

}  // namespace
}  // namespace saslatch::passdb
