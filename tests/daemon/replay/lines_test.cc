// Lines as the programs write them, and what they tell. Taken from Postfix 3.7.11 and Dovecot
// 2.3.19 at work, and from the sources and published logs of the other versions; names and
// addresses are examples.
#include <gtest/gtest.h>

#include "tests/daemon/replay/kit.h"

namespace saslatch::replay {
namespace {

struct Case {
  const char* line;
  const char* expected;  // the first attempt, "xN" if it stands for several; or why it is none
};

std::string seen_in(const std::string& line, Format format = Format::kAuto) {
  LineReader reader(format, utc_zone(), kWritten);
  const LineResult result = reader.read(line);
  if (const auto* unusable = std::get_if<Unusable>(&result))
    return std::string(to_string(*unusable));
  const Fact& fact = std::get<Fact>(result);
  if (fact.kind == Fact::Kind::kConnect) return "connect";
  if (fact.kind == Fact::Kind::kDisconnect)
    return "disconnect, logins: " + std::to_string(fact.times);
  Attempt attempt;
  attempt.at = fact.at;
  attempt.result = fact.result;
  attempt.names_user = fact.names_user;
  attempt.user = fact.user;
  attempt.rip = fact.rip;
  return to_text(attempt) + (fact.times > 1 ? " x" + std::to_string(fact.times) : "") +
         (fact.session.empty() ? "" : " <" + fact.session + ">") +
         (fact.password ? " with password" : "");
}

void check(std::initializer_list<Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(seen_in(c.line), c.expected) << c.line;
}

TEST(SmtpdLines, Failures) {
  check({
      // before 3.7.8, 3.8.3 and 3.9
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL LOGIN "
       "authentication failed: UGFzc3dvcmQ6",
       "07:28:13 bad - 192.0.2.1"},
      {"Nov 21 07:28:13 mx postfix/submission/smtpd[917]: warning: host.example.com[192.0.2.1]: "
       "SASL PLAIN authentication failed: authentication failure",
       "07:28:13 bad - 192.0.2.1"},
      // since
      {"Nov 21 07:28:13 mx postfix/smtps/smtpd[917]: warning: unknown[192.0.2.1]: SASL LOGIN "
       "authentication failed: UGFzc3dvcmQ6, sasl_username=alice@example.com",
       "07:28:13 bad alice@example.com 192.0.2.1"},
      {"2030-11-21T07:28:13.393264+03:00 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL "
       "LOGIN authentication failed: (reason unavailable), sasl_username=alice@example.com",
       "04:28:13 bad alice@example.com 192.0.2.1"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[2001:db8::1]: SASL PLAIN "
       "authentication failed: authentication failure, sasl_username=(unavailable)",  // Cyrus SASL
       "07:28:13 bad - 2001:db8::1"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[unknown]: SASL PLAIN "
       "authentication failed: x, sasl_username=alice",
       "07:28:13 bad alice -"},
      // a second instance; smtpd_client_port_logging; the client's name for itself
      {"Nov 21 07:28:13 mx postfix-out/smtpd[917]: warning: unknown[192.0.2.1]:60377: SASL LOGIN "
       "authentication failed: x, sasl_username=alice",
       "07:28:13 bad alice 192.0.2.1"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL PLAIN "
       "authentication failed: x, sasl_username=a, sasl_username=b [192.0.2.9]",
       "07:28:13 bad a, sasl_username=b [192.0.2.9] 192.0.2.1"},
      // nobody looked at a password
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL PLAIN "
       "authentication failed: (reason unavailable), sasl_username=(unavailable)",
       "not-verified"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL LOGIN "
       "authentication failed: Connection lost to authentication server, sasl_username=alice",
       "not-verified"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL LOGIN "
       "authentication failed: Invalid authentication mechanism",
       "not-verified"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL LOGIN "
       "authentication aborted",
       "not-verified"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.300]: SASL LOGIN "
       "authentication failed: x",
       "bad-address"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: unknown[192.0.2.1]: SASL LOGIN broke",
       "unknown-form"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: warning: hostname x.example.com does not resolve to "
       "address 192.0.2.1",
       "no-attempt"},
  });
}

TEST(SmtpdLines, SuccessesAndSessions) {
  check({
      {"Nov 21 07:28:13 mx postfix/submission/smtpd[917]: 9C3B61A0D5: "
       "client=host.example.com[192.0.2.1], sasl_method=PLAIN, sasl_username=alice@example.com",
       "07:28:13 ok alice@example.com 192.0.2.1"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: 4Xyz1b2BQDz9sQ3: client=unknown[2001:db8::1]:4711, "
       "sasl_method=LOGIN, sasl_username=alice, sasl_sender=bob@example.com",
       "07:28:13 ok alice 2001:db8::1"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: NOQUEUE: client=unknown[192.0.2.1], "
       "sasl_method=PLAIN, sasl_username=alice, orig_queue_id=A1, orig_client=x[192.0.2.2]",
       "07:28:13 ok alice 192.0.2.1"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: 9C3B61A0D5: client=unknown[192.0.2.1]",
       "no-attempt"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: connect from unknown[192.0.2.1]", "connect"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: disconnect from unknown[192.0.2.1] ehlo=2 "
       "starttls=1 "
       "auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8",
       "disconnect, logins: 1"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: disconnect from unknown[192.0.2.1] ehlo=1 auth=0/3 "
       "quit=1 commands=2/5",
       "disconnect, logins: 0"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: lost connection after AUTH from unknown[192.0.2.1]",
       "no-attempt"},
      {"Nov 21 07:28:13 mx postfix/smtpd[917]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 "
       "5.7.1 <x@example.com>: Relay access denied; from=<> to=<x@example.com> proto=ESMTP "
       "helo=<x>",
       "no-attempt"},
      {"Nov 21 07:28:13 mx postfix/qmgr[9]: 9C3B61A0D5: removed", "other-program"},
      {"Nov 21 07:28:13 mx CRON[9]: pam_unix(cron:session): session closed", "other-program"},
      {"Nov 21 07:28:13 mx kernel: usb 1-1: new device", "other-program"},
  });
}

TEST(DovecotLines, LoginProcesses) {
  check({
      {"Nov 21 07:28:13 mx dovecot: imap-login: Login: user=<alice@example.com>, method=PLAIN, "
       "rip=192.0.2.1, lip=198.51.100.5, mpid=8906, TLS, session=<AbSusdFgrux/AAAB>",
       "07:28:13 ok alice@example.com 192.0.2.1 <AbSusdFgrux/AAAB>"},
      {"2030-11-21T07:28:13.1+00:00 mx dovecot[442]: imap-login: Logged in: user=<alice>, "
       "method=PLAIN, rip=2001:db8::1, lip=2001:db8::2, mpid=1, TLS, session=<h5jS>",
       "07:28:13 ok alice 2001:db8::1 <h5jS>"},
      {"Nov 21 07:28:13 imap-login: Info: Login: user=<alice>, method=PLAIN, rip=192.0.2.1, "
       "lip=198.51.100.5, mpid=1, secured, session=<x>",
       "07:28:13 ok alice 192.0.2.1 <x>"},
      {"Nov 21 07:28:13 mx dovecot: imap-login: proxy(alice): started proxying to 192.0.2.7:143: "
       "user=<alice>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.5, session=<x>",
       "07:28:13 ok alice 192.0.2.1 <x>"},
      // 2.2
      {"Nov 21 07:28:13 mx dovecot: pop3-login: Aborted login (auth failed, 1 attempts): "
       "user=<alice>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.5",
       "07:28:13 bad alice 192.0.2.1"},
      {"Nov 21 07:28:13 mx dovecot: imap-login: Disconnected (auth failed, 1 attempts): "
       "method=PLAIN, rip=192.0.2.1, lip=198.51.100.5, TLS: Disconnected",
       "07:28:13 bad - 192.0.2.1"},
      // 2.3
      {"Nov 21 07:28:13 mx dovecot: imap-login: Disconnected: Connection closed (auth failed, 2 "
       "attempts in 4 secs): user=<carol>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.5, TLS, "
       "session=<XK8d>",
       "07:28:13 bad carol 192.0.2.1 x2 <XK8d>"},
      {"Nov 21 07:28:13 submission-login: Info: Disconnected: Aborted login by logging out (auth "
       "failed, 1 attempts in 2 secs): user=<alice>, method=PLAIN, rip=192.0.2.1, "
       "lip=198.51.100.5, secured, session=<M3t5>",
       "07:28:13 bad alice 192.0.2.1 <M3t5>"},
      {"Nov 14 03:51:22 pop3-login: Info: Disconnected: Connection closed: read(size=988) failed: "
       "Connection reset by peer (auth failed, 1 attempts in 2 secs): user=<alice>, method=PLAIN, "
       "rip=192.0.2.1, lip=198.51.100.5, session=<ZfpthtYm>",
       "03:51:22 bad alice 192.0.2.1 <ZfpthtYm>"},
      // 2.4
      {"Nov 21 07:28:13 mx dovecot[9]: imap-login: Login aborted: Connection closed (auth failed, "
       "1 "
       "attempts in 2 secs) (auth_failed): user=<alice>, method=PLAIN, rip=192.0.2.1, "
       "lip=198.51.100.5, TLS, session=<q>",
       "07:28:13 bad alice 192.0.2.1 <q>"},
      // the client's name for itself is no address and no reason
      {"Nov 21 07:28:13 mx dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 "
       "attempts in 2 secs): user=<ev>, rip=203.0.113.9, (auth failed, 99 attempts): user=<x>, "
       "method=PLAIN, rip=192.0.2.1, lip=198.51.100.5, session=<JUmY>",
       "07:28:13 bad ev>, rip=203.0.113.9, (auth failed, 99 attempts): user=<x 192.0.2.1 <JUmY>"},
      {"Nov 21 07:28:13 mx dovecot: imap-login: Disconnected: Connection closed (no auth attempts "
       "in 0 secs): user=<>, rip=192.0.2.1, lip=198.51.100.5, session=<fC6Y>",
       "no-attempt"},
      {"Nov 21 07:28:13 mx dovecot: imap-login: Internal login failure (pid=1 id=1) (auth failed, "
       "1 "
       "attempts in 0 secs): user=<alice>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.5",
       "not-verified"},
      {"Nov 21 07:28:13 mx dovecot: imap(alice)<9619><TQ8p>: Disconnected: Logged out in=8 out=468",
       "no-attempt"},
      {"Nov 21 07:28:13 mx dovecot: imap-login: Disconnected (auth failed, 1 attempts): user=<a>, "
       "method=PLAIN, rip=mars, lip=198.51.100.5",
       "bad-address"},
  });
}

TEST(DovecotLines, AuthProcesses) {
  check({
      {"Nov 21 07:28:13 auth: Info: passwd-file(alice@example.com,192.0.2.1,<AbSu>): Password "
       "mismatch",
       "07:28:13 bad alice@example.com 192.0.2.1 <AbSu>"},
      {"Nov 21 07:28:13 mx dovecot: auth: passwd-file(alice,192.0.2.1,<AbSu>): unknown user (SHA1 "
       "of "
       "given password: a4b48a81) - trying the next passdb",
       "07:28:13 unknown alice 192.0.2.1 <AbSu> with password"},
      {"Nov 21 07:28:13 mx dovecot: auth: passwd-file(alice,192.0.2.1): Password mismatch (given "
       "password: x): passwd-file(bob,203.0.113.1): unknown user)",
       "07:28:13 bad alice 192.0.2.1 with password"},
      {"Nov 21 07:28:13 mx dovecot: auth-worker(8): conn unix:auth-worker (pid=5,uid=9): "
       "auth-worker<1>: sql(alice,2001:db8::1,<x>): Password mismatch",
       "07:28:13 bad alice 2001:db8::1 <x>"},
      {"Nov 21 07:28:13 mx dovecot: auth: pam(alice,192.0.2.1): pam_authenticate() failed: User "
       "not "
       "known to the underlying authentication module",
       "07:28:13 unknown alice 192.0.2.1"},
      {"2030-11-21 03:56:40 auth-worker(default): Info: pam(alice,192.0.2.1): pam_authenticate() "
       "failed: Authentication failure (password mismatch?)",
       "03:56:40 bad alice 192.0.2.1"},
      {"Nov 21 07:28:13 mx dovecot: auth: ldap(alice,192.0.2.1,<x>): invalid credentials",
       "07:28:13 bad alice 192.0.2.1 <x>"},
      // 2.4
      {"Nov 21 07:28:13 auth(alice,192.0.2.1,sasl:plain)<Cd5N>: Info: passwd-file: Password "
       "mismatch",
       "07:28:13 bad alice 192.0.2.1 <Cd5N>"},
      {"Nov 21 07:28:13 mx dovecot: auth-worker(alice,192.0.2.1)<62690>: request [24]: sql: "
       "unknown "
       "user",
       "07:28:13 unknown alice 192.0.2.1"},
      {"Nov 21 07:28:13 mx dovecot: auth(alice,sasl:plain): sql: Password mismatch",
       "07:28:13 bad alice -"},
      {"Nov 21 07:28:13 auth: Info: plain(?,192.0.2.1,<JUmY>): Username character disallowed by "
       "auth_username_chars: 0x3e (username: ev>, rip=192.0.2.99)",
       "no-attempt"},
      {"Nov 21 07:28:13 mx dovecot: auth: Error: sql(alice): Password mismatch,",
       "07:28:13 bad alice -"},
      {"Nov 21 07:28:13 mx dovecot: auth: : Password mismatch", "unknown-form"},
  });
}

TEST(AuditLines, AttemptsAndTheRest) {
  check({
      {R"({"ts":"2030-11-21T07:28:13.000001Z","event":"auth","outcome":"ok","user":"alice",)"
       R"("rip":"192.0.2.1","mech":"PLAIN","service":"smtp","secured":"tls","repeat":false})",
       "07:28:13 ok alice 192.0.2.1"},
      {R"({"ts":"2030-11-21T07:28:13.000001Z","event":"auth","outcome":"fail",)"
       R"("cause":"bad-credential","user":"alice","rip":"","mech":"CRAM-MD5","repeat":false})",
       "07:28:13 bad alice -"},
      {R"({"ts":"2030-11-21T07:28:13Z","event":"auth","outcome":"fail","cause":"unknown-user",)"
       R"("user":"\u00e4\"\\","rip":"2001:db8::1","mech":"PLAIN"})",
       "07:28:13 unknown ä\"\\ 2001:db8::1"},
      {R"({"ts":"2030-11-21T07:28:13Z","event":"auth","outcome":"refused","cause":"locked",)"
       R"("user":"alice","rip":"192.0.2.1","mech":"PLAIN","rule":"a","subject":"user:alice"})",
       "07:28:13 refused alice 192.0.2.1"},
      {R"({"ts":"2030-11-21T07:28:13Z","event":"auth","outcome":"fail","cause":"malformed",)"
       R"("user":"","rip":"192.0.2.1","mech":"PLAIN"})",
       "not-verified"},
      {R"({"ts":"2030-11-21T07:28:13Z","event":"auth","outcome":"temporary",)"
       R"("cause":"passdb-down","user":"alice","rip":"192.0.2.1","mech":"PLAIN"})",
       "not-verified"},
      {R"({"ts":"2030-11-21T07:28:13Z","event":"lock","subject":"user:alice","rule":"a"})",
       "other-event"},
      // fields of a later version
      {R"({"ts":"2030-11-21T07:28:13Z","event":"auth","new":{"user":"eve","a":[1,2.5,null,true]},)"
       R"("outcome":"ok","user":"alice","rip":"192.0.2.1","mech":"PLAIN"})",
       "07:28:13 ok alice 192.0.2.1"},
      {R"({"ts":"2030-11-21T07:28:13Z","event":"auth","outcome":"ok","user":"alice","rip":"192.0.2)",
       "bad-json"},
      {R"({"ts":"yesterday","event":"auth","outcome":"ok","user":"alice","rip":"192.0.2.1"})",
       "bad-json"},
      {R"({"event":"auth"})", "bad-json"},
      {R"({})", "bad-json"},
      {R"({"a":[[[[[[[[[[[[]]]]]]]]]]]]})", "bad-json"},
  });
}

TEST(Lines, WhatNobodyWrites) {
  EXPECT_EQ(seen_in(""), "no-time-stamp");
  EXPECT_EQ(seen_in("hello"), "no-time-stamp");
  EXPECT_EQ(seen_in(std::string("\x01\x02\x00\xff", 4)), "binary");
  EXPECT_EQ(seen_in("{\x01"), "binary");
  EXPECT_EQ(seen_in(std::string(kMaxLine + 1, 'a')), "too-long");
  EXPECT_EQ(seen_in("Nov 21 07:28:13 mx"), "other-program");
  EXPECT_EQ(seen_in("Nov 21 07:28:13 mx postfix/smtpd[1"), "other-program");
  EXPECT_EQ(seen_in("Nov 21 07:28:13 mx postfix/smtpd[1]: connect from unknown[192.0.2.1]\r"),
            "connect");
}

TEST(Lines, OfOtherFormatsAreLeftOut) {
  const std::string smtpd = "Nov 21 07:28:13 mx postfix/smtpd[1]: connect from unknown[192.0.2.1]";
  const std::string dovecot =
      "Nov 21 07:28:13 mx dovecot: auth: passwd-file(alice,192.0.2.1): unknown user";
  EXPECT_EQ(seen_in(smtpd, Format::kPostfix), "connect");
  EXPECT_EQ(seen_in(smtpd, Format::kDovecot), "other-program");
  EXPECT_EQ(seen_in(dovecot, Format::kDovecot), "07:28:13 unknown alice 192.0.2.1");
  EXPECT_EQ(seen_in(dovecot, Format::kPostfix), "other-program");
  EXPECT_EQ(seen_in(smtpd, Format::kAudit), "bad-json");
  EXPECT_EQ(seen_in("{}", Format::kPostfix), "no-time-stamp");
}

}  // namespace
}  // namespace saslatch::replay
