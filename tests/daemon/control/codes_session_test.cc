// The self-service door, and what a session makes of codes: driven as net/ drives them, over a real
// database.
#include "daemon/control/codes_session.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "daemon/passdb/user_store.h"
#include "daemon/session/saslauthd_session.h"
#include "protocol/base/crypto/digest.h"
#include "protocol/base/crypto/system_random.h"
#include "tests/daemon/passdb/scratch_dir.h"
#include "tests/daemon/session/world.h"

namespace saslatch::control {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using testing::LetterBox;
using testing::World;

class CodesSessionTest : public ::testing::Test {
 protected:
  CodesSessionTest() : world_(testing::three_failures_a_minute()) {
    world_.services.stale = &stale_;
    world_.passdb->add("alice", "{PLAIN}main");
    world_.set([this](Settings& settings) {
      std::vector<std::shared_ptr<passdb::Passdb>> chain = {world_.passdb};
      settings.verifier = std::make_shared<const passdb::Verifier>(
          chain, world_, world_.random, 0ms, passdb::CodeRules{book_, {}});
    });
    open();
  }
  void open() {
    box_ = std::make_shared<LetterBox>();
    session_ = std::make_unique<CodesSession>(
        SessionParts{world_.services, world_.holds, world_, world_.settings, box_, "door", 1, 4711},
        door_, world_.now);
    box_->session = session_.get();
  }
  // The replies to the lines, all that come without waiting.
  std::vector<json> say(const std::string& lines) {
    session_->receive(lines, world_.now);
    return replies();
  }
  std::vector<json> replies() {
    for (int i = 0; i < 3; ++i) {
      world_.workers.run_all();
      box_->empty_into(world_.now);
    }
    std::vector<json> all;
    std::istringstream in(session_->take_output());
    for (std::string line; std::getline(in, line);) all.push_back(json::parse(line));
    return all;
  }
  static std::string login(const std::string& password) {
    return R"({"command":"login","user":"alice","password":")" + password +
           R"(","rip":"203.0.113.7"})" + "\n";
  }
  // A login by CRAM-MD5 as a session would begin it: its audit event.
  std::string cram_md5(const std::string& password) {
    world_.audited.clear();
    const std::string challenge = "<1.2@host>";
    AttemptRequest request;
    request.client.mechanism = "CRAM-MD5";
    request.client.service = "smtp";
    request.client.rip = IpAddress::parse("203.0.113.7");
    request.authcid = "alice";
    request.credential =
        passdb::CramMd5Credential{challenge, hmac(Hash::kMd5, password, challenge)};
    const auto attempt =
        std::make_shared<Attempt>(world_.services, world_.settings, Attempt::Origin{}, world_.now);
    (void)attempt->begin(std::move(request));
    world_.workers.run_all();
    world_.advance(10min);
    return world_.audited.empty() ? "nothing" : world_.audited.front();
  }

  passdb::ScratchDir dir_;
  SystemRandom random_;
  std::shared_ptr<passdb::CodeBook> book_ = std::make_shared<passdb::CodeBook>(dir_.path());
  World world_;
  StaleWatch stale_;
  CodesDoor door_{dir_.path(), random_, *book_};
  std::shared_ptr<LetterBox> box_;
  std::unique_ptr<CodesSession> session_;
};

TEST_F(CodesSessionTest, DoesNothingBeforeTheAccountIsProven) {
  for (const char* line : {R"({"command":"code list"})", R"({"command":"code add","label":"x"})",
                           R"({"command":"code revoke","all":true})", R"({"command":"status"})",
                           "[]", "{", "nonsense"}) {
    const auto told = say(std::string(line) + "\n");
    ASSERT_EQ(told.size(), 1u) << line;
    EXPECT_EQ(told[0]["ok"], false) << line;
  }
  EXPECT_FALSE(session_->is_over());
}

TEST_F(CodesSessionTest, ManagesTheCodesOfTheProvenAccountAndNoOther) {
  EXPECT_EQ(say(login("main"))[0], (json{{"ok", true}, {"user", "alice"}}));
  const auto made = say(R"({"command":"code add","label":"Phone","services":["SMTP"]})"
                        "\n");
  EXPECT_EQ(made[0]["id"], 1);
  const auto listed = say("{\"command\":\"code list\"}\n");
  EXPECT_EQ(listed[0]["codes"][0]["label"], "Phone");
  EXPECT_EQ(listed[0]["codes"][0]["services"], json({"smtp"}));
  EXPECT_EQ(listed[0]["codes"][0]["created_by"], "self");
  EXPECT_FALSE(listed[0].dump().find(made[0]["code"].get<std::string>()) != std::string::npos);
  EXPECT_EQ(say(R"({"command":"code revoke","id":1,"user":"bob"})"
                "\n")[0]["ok"],
            false)
      << "it named another account";
  EXPECT_EQ(say(R"({"command":"code revoke","id":1})"
                "\n")[0]["ok"],
            true);
  EXPECT_EQ(say(login("main"))[0]["ok"], false) << "a session is of one account";
}

TEST_F(CodesSessionTest, HoldsAWrongPasswordAndEnds) {
  EXPECT_TRUE(say(login("guess") + "{\"command\":\"code list\"}\n").empty()) << "failure-delay";
  session_->end_of_input(world_.now);
  EXPECT_TRUE(replies().empty()) << "closing the writing side saved the delay";
  world_.advance(2s);
  session_->on_deadline(world_.now);
  const auto told = replies();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0]["exit"], 77);
  EXPECT_TRUE(session_->is_over());
}

TEST_F(CodesSessionTest, EndsWithTheProof) {
  say(login("main"));
  world_.passdb->add("alice", "{PLAIN}changed");
  EXPECT_EQ(say("{\"command\":\"code list\"}\n")[0]["exit"], 77);
  EXPECT_TRUE(session_->is_over());
  open();
  say(login("changed"));
  world_.advance(CodesSession::kProofLasts);
  EXPECT_EQ(say("{\"command\":\"code list\"}\n")[0]["exit"], 77);
}

TEST_F(CodesSessionTest, KeepsItsBound) {
  const auto told = say(std::string(CodesSession::kMaxRequest, 'x'));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(session_->is_over());
}

TEST_F(CodesSessionTest, ARevokedCodeCountsOnceWithCramMd5TooAndIsTold) {
  auto store = passdb::CodeStore::open(dir_.path(), random_);
  passdb::NewCode code;
  code.account = "alice";
  code.label = "Old phone";
  code.created_by = "root";
  code.with_cram_md5 = true;
  const auto made = (*store)->add({&code, 1}, 25, world_.now.wall);
  const std::string text(made->front().code.reveal());
  ASSERT_TRUE(book_->refresh());
  EXPECT_EQ(cram_md5(text).substr(0, 2), "ok");
  ASSERT_TRUE((*store)->revoke("alice", 1, world_.now.wall));
  EXPECT_EQ(cram_md5(text), "fail bad-credential user=alice mech=CRAM-MD5");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(cram_md5(text), "fail bad-credential user=alice mech=CRAM-MD5 repeat");
  }
  const auto tries = stale_.tries("alice", std::nullopt, world_.now.wall);
  ASSERT_EQ(tries.size(), 1u);
  EXPECT_EQ(tries[0].credential, "code:1 Old phone");
  EXPECT_EQ(tries[0].count, 6u);
  EXPECT_EQ((tries[0].last - tries[0].first) / 5, 10min);
}

}  // namespace
}  // namespace saslatch::control
