// Every scheme that the installed doveadm can write, written by it now: right password in, wrong
// one out. The vectors of data/ are fixed; this one sees what a newer Dovecot does differently.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <set>
#include <sstream>

#include "daemon/password/verify.h"

namespace saslatch::password {
namespace {

// What doveadm prints, without its end of line; empty if it failed. The arguments need no quoting.
std::string doveadm(const std::string& arguments) {
  const std::string command = "doveadm pw " + arguments + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) return {};
  std::string out;
  std::array<char, 4096> part{};
  while (const size_t size = std::fread(part.data(), 1, part.size(), pipe.get())) {
    out.append(part.data(), size);
  }
  while (out.ends_with('\n') || out.ends_with(' ')) out.pop_back();
  return out;
}

// Refused with a reason: one-time passwords, protocols nobody offers, and hashes of the name as
// well.
const std::set<std::string> kRefused = {"DIGEST-MD5", "PLAIN-MD4", "OTP", "SKEY",
                                        "NTLM",       "LANMAN",    "RPA"};

TEST(DoveadmPw, WritesNothingThatWeCannotCheck) {
  std::istringstream schemes(doveadm("-l"));
  if (schemes.str().empty()) GTEST_SKIP() << "no doveadm here; Debian has it in dovecot-core";
  size_t checked = 0;
  for (std::string scheme; schemes >> scheme;) {
    // doveadm writes PLAIN-TRUNC without the length that it then asks for itself.
    if (scheme == "PLAIN-TRUNC") continue;
    for (const char* suffix : {"", ".b64", ".hex"}) {
      const std::string name = scheme + suffix;
      const std::string text = doveadm("-u alice -p correct-horse -s " + name);
      ASSERT_FALSE(text.empty()) << name;
      const auto stored = parse(text, "");
      if (kRefused.contains(scheme)) {
        EXPECT_FALSE(stored) << text;
        continue;
      }
      ASSERT_TRUE(stored) << text << ": " << stored.error().message;
      EXPECT_EQ(verify(*stored, "correct-horse"), Check::kMatch) << text;
      EXPECT_EQ(verify(*stored, "Correct-horse"), Check::kMismatch) << text;
      ++checked;
    }
  }
  EXPECT_GE(checked, size_t{3} * 25);
}

}  // namespace
}  // namespace saslatch::password
