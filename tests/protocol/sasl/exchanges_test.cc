// Runs data/*.exchanges, whole exchanges as text, one line a turn:
//   exchange MECHANISM          a new one
//   start | initial BYTES       start() without, or with, an initial response
//   C BYTES                     the client's answer to a challenge
//   S BYTES                     expected: this challenge
//   ask-password A|Z|P          expected: VerifyPassword with authcid, authzid, password
//   ask-cram-md5 A|CHALLENGE|H  expected: VerifyCramMd5, the digest in hex
//   verdict match|mismatch|unavailable
//   success A|Z                 expected: Success
//   failure WHY [A]             expected: Failure with that authcid
// \0 in BYTES is the NUL byte. An empty line ends an exchange, # begins a comment.
#include <gtest/gtest.h>

#include <fstream>

#include "protocol/base/base64.h"
#include "protocol/base/crypto/digest.h"
#include "protocol/sasl/cram_md5.h"
#include "protocol/sasl/mechanisms.h"
#include "tests/protocol/sasl/fixed_random.h"

namespace saslatch::sasl {
namespace {

const std::string kData = SASLATCH_TESTS_DIR "/protocol/sasl/data/";

std::string unescaped(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool nul = text.substr(i, 2) == "\\0";
    bytes.push_back(nul ? '\0' : text[i]);
    if (nul) ++i;
  }
  return bytes;
}

std::string name_of(Refusal why) {
  switch (why) {
    case Refusal::kMalformed:
      return "malformed";
    case Refusal::kOutOfTurn:
      return "out-of-turn";
    case Refusal::kBadCredentials:
      return "bad-credentials";
    case Refusal::kUnavailable:
      return "unavailable";
  }
  return "?";
}

// A step in the words of the data files.
std::string described(const Step& step) {
  struct Describe {
    std::string operator()(const Challenge& c) const { return "S " + c.bytes; }
    std::string operator()(const VerifyPassword& v) const {
      return "ask-password " + v.authcid + "|" + v.authzid + "|" + std::string(v.password.reveal());
    }
    std::string operator()(const VerifyCramMd5& v) const {
      return "ask-cram-md5 " + v.authcid + "|" + v.challenge + "|" + hex_encode(v.digest);
    }
    std::string operator()(const Success& s) const {
      return "success " + s.authcid + "|" + s.authzid;
    }
    std::string operator()(const Failure& f) const {
      return "failure " + name_of(f.why) + (f.authcid.empty() ? "" : " " + f.authcid);
    }
  };
  return std::visit(Describe{}, step);
}

class Exchange {
 public:
  explicit Exchange(const Registry& registry) : registry_(registry) {}

  void turn(const std::string& line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string word = line.substr(0, space);
    const std::string rest = unescaped(line.substr(std::min(space + 1, line.size())));
    if (word == "exchange") {
      const MechanismInfo* info = registry_.find(rest);
      ASSERT_NE(info, nullptr);
      FixedRandom random(1896);
      mechanism_ = info->make({random, "postoffice.reston.mci.net", 697170952});
    } else if (word == "start") {
      step_ = mechanism_->start(std::nullopt);
    } else if (word == "initial") {
      step_ = mechanism_->start(rest);
    } else if (word == "C") {
      step_ = mechanism_->respond(rest);
    } else if (word == "verdict") {
      ASSERT_TRUE(rest == "match" || rest == "mismatch" || rest == "unavailable");
      step_ = mechanism_->verdict(rest == "match"      ? Verdict::kMatch
                                  : rest == "mismatch" ? Verdict::kMismatch
                                                       : Verdict::kUnavailable);
    } else {
      EXPECT_EQ(described(step_),
                rest.empty() ? word + (word == "S" ? " " : "") : word + " " + rest);
      ++expectations;
    }
  }

  int expectations = 0;

 private:
  const Registry& registry_;
  std::unique_ptr<ServerMechanism> mechanism_;
  Step step_;
};

class ExchangesOf : public testing::TestWithParam<const char*> {};

TEST_P(ExchangesOf, GoAsWritten) {
  const std::vector<std::string> offer = {"PLAIN", "LOGIN", "CRAM-MD5"};
  const auto registry = Registry::create(known_mechanisms(), offer);
  ASSERT_TRUE(registry);
  Exchange exchange(*registry);
  std::ifstream file(kData + GetParam() + ".exchanges");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    SCOPED_TRACE(std::string(GetParam()) + ".exchanges:" + std::to_string(number));
    if (!line.empty() && line[0] != '#') exchange.turn(line);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(exchange.expectations, 5);
}

INSTANTIATE_TEST_SUITE_P(EachMechanism, ExchangesOf, testing::Values("plain", "login", "cram_md5"),
                         [](const auto& p) { return std::string(p.param); });

TEST(CramMd5, AnswersAsTheRfcsClientDoes) {
  std::ifstream file(kData + "rfc2195.vectors");
  int vectors = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    ++vectors;
    std::vector<std::string> fields{""};
    for (const char c : line) {
      if (c == '|') {
        fields.emplace_back();
      } else {
        fields.back().push_back(c);
      }
    }
    ASSERT_EQ(fields.size(), 4u);
    const std::string digest = hmac(Hash::kMd5, fields[1], fields[2]);
    EXPECT_EQ(make_cram_md5_response(fields[0], digest), fields[3]);
    const auto parsed = parse_cram_md5_response(fields[3]);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->authcid, fields[0]);
    EXPECT_EQ(parsed->digest, digest);
  }
  EXPECT_GT(vectors, 0);
}

}  // namespace
}  // namespace saslatch::sasl
