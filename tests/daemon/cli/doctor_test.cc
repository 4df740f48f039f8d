#include "daemon/cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "daemon/cli/console.h"
#include "daemon/config/parse.h"
#include "tests/daemon/cli/box.h"

namespace saslatch::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The findings of one check, each as "RESULT WHAT -> MEND".
std::vector<std::string> findings(const Box& box, const std::string& check, int* exit = nullptr) {
  const Finished finished = box.saslatch({"doctor", "--json"}, "");
  if (exit != nullptr) *exit = finished.exit;
  std::vector<std::string> found;
  for (const Json& finding : Json::parse(finished.out)) {
    if (finding.at("check") != check) continue;
    found.push_back(finding.at("result").get<std::string>() + " " +
                    finding.at("what").get<std::string>() + " -> " + finding.value("mend", ""));
  }
  return found;
}

TEST(Doctor, FindsADaemonThatDoesNotRun) {
  const Box box;
  int exit = 0;
  EXPECT_THAT(findings(box, "daemon", &exit), ElementsAre(HasSubstr("fail no saslatchd answers")));
  EXPECT_EQ(exit, to_int(ExitCode::kConfig));
  EXPECT_THAT(findings(box, "socket"), ElementsAre(HasSubstr("fail " + box.path() + "/run/auth")));
  EXPECT_THAT(
      findings(box, "database"),
      ElementsAre(HasSubstr("warn " + box.path() + "/state/users.db: there is no account")));
}

TEST(Doctor, IsContentWithWhatIsInOrder) {
  Box box;
  box.start_daemon();
  box.start_auth_server();
  ASSERT_EQ(box.saslatch({"user", "add", "alice", "--password-stdin"}, "secret\n").exit, 0);
  EXPECT_THAT(findings(box, "daemon"), ElementsAre(HasSubstr("ok saslatchd ")));
  EXPECT_THAT(findings(box, "handshake"), ElementsAre(HasSubstr("offers PLAIN LOGIN CRAM-MD5")));
  EXPECT_THAT(findings(box, "database"), ElementsAre(HasSubstr("users.db can be read")));
  EXPECT_THAT(findings(box, "audit-log"), ElementsAre(HasSubstr("ok ")));
  EXPECT_THAT(findings(box, "configuration"), ElementsAre(HasSubstr("is in order")));
  EXPECT_EQ(findings(box, "clock").size(), 1u);
}

TEST(Doctor, ChangesNothing) {
  const Box box;
  box.saslatch({"doctor"}, "");
  EXPECT_TRUE(std::filesystem::is_empty(box.path() + "/state"));
  EXPECT_TRUE(std::filesystem::is_empty(box.path() + "/log"));
}

TEST(Doctor, FindsAKeyThatOthersCanRead) {
  const Box box;
  ASSERT_EQ(box.saslatch({"user", "add", "alice", "--password-stdin"}, "secret\n").exit, 0);
  const std::string key = box.path() + "/state/secret.key";
  ::chmod(key.c_str(), 0644);
  EXPECT_THAT(findings(box, "secret-key"), ElementsAre(HasSubstr("-> chmod 0600 " + key)));
  ::unlink(key.c_str());
  EXPECT_THAT(findings(box, "database"), ElementsAre(HasSubstr("fail " + key + " is missing")));
  EXPECT_FALSE(std::filesystem::exists(key)) << "doctor must not make another one";
}

TEST(Doctor, FindsAStateDirectoryThatOthersCanWrite) {
  const Box box;
  ::chmod((box.path() + "/state").c_str(), 0777);
  EXPECT_THAT(findings(box, "state-dir"), ElementsAre(HasSubstr("can be written by others")));
}

TEST(Doctor, FindsABrokenDatabase) {
  const Box box;
  ASSERT_EQ(box.saslatch({"user", "add", "alice", "--password-stdin"}, "secret\n").exit, 0);
  box.write("state/users.db", "no database at all, and long enough to be looked at as one");
  EXPECT_THAT(findings(box, "database"), ElementsAre(HasSubstr("fail ")));
}

TEST(Doctor, FindsOtherMechanismsThanTheConfiguration) {
  Box box;
  box.start_auth_server();
  box.configure("[mechanisms]");
  box.configure("offer = PLAIN");
  EXPECT_THAT(findings(box, "handshake"), ElementsAre(HasSubstr("saslatch reload")));
}

TEST(Doctor, FindsAPasswdFileThatIsNotThere) {
  Box box;
  box.configure("[passdb.legacy]");
  box.configure("driver = passwd-file");
  box.configure("path = " + box.path() + "/users");
  EXPECT_THAT(findings(box, "passwd-file"),
              ElementsAre(HasSubstr("fail " + box.path() + "/users cannot be read")));
  box.write("users", "alice:{PLAIN}secret\n");
  ::chmod(box.path().c_str(), 0755);
  EXPECT_THAT(findings(box, "passwd-file"), ElementsAre(HasSubstr("ok ")));
}

TEST(Doctor, FindsFilesOfRedisThatTheDaemonCannotRead) {
  Box box;
  for (const std::string line :
       {"[state]", "backend = redis", "servers = 127.0.0.1:6379", "user = saslatch"}) {
    box.configure(line);
  }
  box.configure("key-file = " + box.path() + "/cluster.key");
  box.configure("password-file = " + box.path() + "/password");
  box.write("password", "secret\n");
  ::chmod((box.path() + "/password").c_str(), 0604);
  ::chmod(box.path().c_str(), 0755);
  EXPECT_THAT(findings(box, "redis"),
              ElementsAre(HasSubstr("cluster.key cannot be read"), HasSubstr("ok password-file")));
  EXPECT_THAT(findings(box, "configuration"),
              ElementsAre(HasSubstr("/dev/urandom | base64"), HasSubstr("mend: chmod o= ")));
}

TEST(Doctor, TellsEveryMistakeOfTheConfiguration) {
  Box box;
  box.configure("nonsense = 1");
  box.configure("[mechanisms]");
  box.configure("offer = KERBEROS");
  int exit = 0;
  EXPECT_THAT(findings(box, "configuration", &exit),
              ElementsAre(HasSubstr("nonsense"), HasSubstr("KERBEROS")));
  EXPECT_EQ(exit, to_int(ExitCode::kConfig));
}

TEST(Doctor, QuietShowsOnlyWhatIsNotOk) {
  Box box;
  const Finished finished = box.saslatch({"doctor", "--quiet"}, "");
  EXPECT_EQ(finished.out.find("ok    "), std::string::npos) << finished.out;
  EXPECT_THAT(finished.out, HasSubstr("fail  daemon"));
}

config::Config one_socket(const std::string& socket) {
  config::Config config;
  config::ListenConfig listener;
  listener.name = "postfix";
  listener.socket = socket;
  config.listen = {listener};
  return config;
}

PostfixSettings good_postfix() {
  return {{"queue_directory", "/var/spool/postfix"},
          {"smtpd_sasl_auth_enable", "yes"},
          {"smtpd_sasl_type", "dovecot"},
          {"smtpd_sasl_path", "private/saslatch"},
          {"smtpd_tls_security_level", "may"},
          {"smtp/inet/chroot", "y"}};
}

TEST(JudgePostfix, FollowsItsTable) {
  const config::Config inside = one_socket("/var/spool/postfix/private/saslatch");
  const struct {
    const char* parameter;
    const char* value;
    Health worst;
    const char* mend;  // what is advised, where something is
  } cases[] = {
      {"smtpd_sasl_path", "private/saslatch", Health::kOk, ""},
      {"smtpd_sasl_path", "unix:private/saslatch", Health::kOk, ""},
      {"smtpd_sasl_path", "private//saslatch", Health::kOk, ""},
      {"smtpd_sasl_path", "private/auth", Health::kFail,
       "postconf -e smtpd_sasl_path=private/saslatch"},
      {"smtpd_sasl_path", "inet:127.0.0.1:12345", Health::kFail, "smtpd_sasl_path="},
      {"smtpd_sasl_path", "/var/spool/postfix/private/saslatch", Health::kFail, "relative to"},
      {"smtpd_sasl_type", "", Health::kFail, "smtpd_sasl_type=dovecot"},
      {"smtpd_sasl_type", "cyrus", Health::kOk, ""},  // JudgeCyrus goes on
      {"smtpd_sasl_auth_enable", "no", Health::kWarn, "smtpd_sasl_auth_enable=yes"},
      {"smtpd_tls_security_level", "", Health::kWarn, "smtpd_tls_security_level=may"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.parameter) + " = " + c.value);
    PostfixSettings postfix = good_postfix();
    postfix[c.parameter] = c.value;
    Health worst = Health::kOk;
    std::string mends;
    for (const Finding& finding : judge_postfix(postfix, inside)) {
      worst = std::max(worst, finding.health);
      mends += finding.mend + "\n";
    }
    EXPECT_EQ(to_string(worst), to_string(c.worst)) << mends;
    EXPECT_THAT(mends, HasSubstr(c.mend));
  }
}

TEST(JudgePostfix, AnAbsolutePathIsWellOutsideOfAChroot) {
  PostfixSettings postfix = good_postfix();
  postfix["smtp/inet/chroot"] = "n";
  postfix["smtpd_sasl_path"] = "/run/saslatch/auth";
  for (const Finding& finding : judge_postfix(postfix, one_socket("/run/saslatch/auth"))) {
    EXPECT_EQ(to_string(finding.health), "ok") << finding.what;
  }
}

TEST(JudgePostfix, KnowsTheSocketsThatSystemdGave) {
  PostfixSettings postfix = good_postfix();
  postfix["smtpd_sasl_path"] = "private/saslatch";
  const config::Config config = one_socket("/run/saslatch/auth");
  const std::string in_queue = postfix["queue_directory"] + "/private/saslatch";
  const std::string name = config.listen.front().name;
  for (const Finding& finding : judge_postfix(postfix, config, {{name, in_queue}})) {
    EXPECT_EQ(to_string(finding.health), "ok") << finding.what;
  }
  postfix["smtpd_sasl_path"] = "private/auth";
  const Findings wrong =
      judge_postfix(postfix, config, {{name, "/run/saslatch/auth"}, {name, in_queue}});
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_EQ(wrong.front().mend, "postconf -e smtpd_sasl_path=private/saslatch");
}

// A chrooted Postfix as conf-examples/postfix-cyrus has it.
CyrusApplication cyrus_postfix() {
  CyrusApplication postfix;
  postfix.name = "Postfix";
  postfix.appname = "smtpd";
  postfix.user = "postfix";
  postfix.directory = postfix.root = "/var/spool/postfix";
  postfix.tells_tls = false;
  postfix.needs_tls = true;
  return postfix;
}

constexpr const char* kGoodProbe =
    "provider\tCRAM-MD5\tsaslatch\n"
    "provider\tPLAIN\tsaslatch\n"
    "provider\tPLAIN\tplain\n"
    "option\tsaslatch_socket\tprivate/saslatch\n"
    "option\tsaslatch_assume_tls\tyes\n"
    "option\tmech_list\tPLAIN CRAM-MD5\n"
    "something\tof a later version\n";

std::vector<std::string> lines_in(std::string text) {
  std::vector<std::string> lines;
  for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    lines.push_back(text.substr(0, end));
  }
  return lines;
}

struct CyrusCase {
  const char* name;
  std::string from, to;  // what is different in kGoodProbe
  Health worst;
  const char* tells;  // in what is found or advised
};

TEST(JudgeCyrus, FollowsItsTable) {
  config::Config config = one_socket("/var/spool/postfix/private/saslatch");
  config.listen.front().on_temporary_failure = config::OnTemporaryFailure::kReply;
  const CyrusCase cases[] = {
      {"all is well", "", "", Health::kOk, "Postfix has CRAM-MD5 PLAIN from us"},
      {"no plugin", "\tsaslatch\n", "\tother\n", Health::kFail, "finds no libsaslatch.so"},
      {"another plugin first", "provider\tPLAIN\tsaslatch\nprovider\tPLAIN\tplain\n",
       "provider\tPLAIN\tplain\nprovider\tPLAIN\tsaslatch\n", Health::kFail,
       "uses another plugin for PLAIN"},
      {"no mech_list", "option\tmech_list\tPLAIN CRAM-MD5", "option\tmech_list\t", Health::kWarn,
       "mech_list: PLAIN LOGIN"},
      {"a wrong option", "something\tof", "complaint\tsaslatch_timeout: 'soon'", Health::kWarn,
       "saslatch_timeout: 'soon'"},
      {"another socket", "private/saslatch", "private/auth", Health::kFail,
       "`saslatch_socket: private/saslatch`"},
      {"a path that does not lead out of the chroot", "private/saslatch",
       "/var/spool/postfix/private/saslatch", Health::kFail, "within its chroot"},
      {"an absolute path within the chroot", "private/saslatch", "/private//saslatch", Health::kOk,
       "is ours"},
      {"nothing said of TLS", "assume_tls\tyes", "assume_tls\tno", Health::kFail,
       "saslatch_assume_tls: yes"},
  };
  for (const CyrusCase& c : cases) {
    SCOPED_TRACE(c.name);
    std::string text = kGoodProbe;
    for (size_t at = 0; !c.from.empty() && (at = text.find(c.from, at)) != std::string::npos;
         at += c.to.size()) {
      text.replace(at, c.from.size(), c.to);
    }
    std::string socket, told;
    Health worst = Health::kOk;
    for (const Finding& finding :
         judge_cyrus(cyrus_postfix(), parse_cyrus_probe(lines_in(text)), config, {}, socket)) {
      worst = std::max(worst, finding.health);
      told += finding.what + "\n" + finding.mend + "\n";
    }
    EXPECT_EQ(to_string(worst), to_string(c.worst)) << told;
    EXPECT_THAT(told, HasSubstr(c.tells));
  }
}

TEST(JudgeCyrus, WarnsOfPasswordsInTheClearThatCountAsSecured) {
  CyrusApplication postfix = cyrus_postfix();
  postfix.needs_tls = false;
  std::string socket;
  const Findings findings =
      judge_cyrus(postfix, parse_cyrus_probe(lines_in(kGoodProbe)),
                  one_socket("/var/spool/postfix/private/saslatch"), {}, socket);
  EXPECT_EQ(to_string(findings.back().health), "fail");
  EXPECT_THAT(findings.back().mend, HasSubstr("smtpd_tls_auth_only=yes"));
}

TEST(JudgeCyrus, WarnsOfAListenerThatClosesConnections) {
  std::string socket;
  bool warned = false;
  for (const Finding& finding :
       judge_cyrus(cyrus_postfix(), parse_cyrus_probe(lines_in(kGoodProbe)),
                   one_socket("/var/spool/postfix/private/saslatch"), {}, socket)) {
    warned |= finding.mend.find("on-temporary-failure = reply") != std::string::npos;
  }
  EXPECT_TRUE(warned);
  EXPECT_EQ(socket, "/var/spool/postfix/private/saslatch");
}

TEST(JudgeCyrus, KnowsTheSocketsThatSystemdGave) {
  const config::Config config = one_socket("/run/saslatch/auth");
  std::string socket;
  for (const Finding& finding :
       judge_cyrus(cyrus_postfix(), parse_cyrus_probe(lines_in(kGoodProbe)), config,
                   {{config.listen.front().name, "/var/spool/postfix/private/saslatch"}}, socket)) {
    EXPECT_NE(to_string(finding.health), "fail") << finding.what;
  }
}

TEST(Quoted, IsOneWordToAShell) {
  EXPECT_EQ(quoted("a b"), "'a b'");
  EXPECT_EQ(lines_of("printf '%s\\n' " + quoted("it's $(here) \"now\"")),
            (std::vector<std::string>{"it's $(here) \"now\""}));
}

}  // namespace
}  // namespace saslatch::cli
