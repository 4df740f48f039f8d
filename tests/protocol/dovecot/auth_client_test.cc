#include "protocol/dovecot/auth_client.h"

#include <gtest/gtest.h>

#include "protocol/base/base64.h"
#include "protocol/dovecot/auth_server.h"

namespace saslatch::dovecot {
namespace {

// Captured from Dovecot 2.3.19.
constexpr std::string_view kDovecot =
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
    "MECH\tCRAM-MD5\tdictionary\tactive\nSPID\t17937\nCUID\t1\n"
    "COOKIE\tcde9c092186b5f8b04eac6caa9506fc1\nDONE\n";

std::string output_of(AuthClient& client) { return std::string(client.take_output().reveal()); }

// A client that has read `handshake` and whose greeting is out.
struct ReadyClient : AuthClient {
  explicit ReadyClient(std::string_view handshake = kDovecot) : AuthClient(21032) {
    receive(handshake);
    const auto event = next();
    EXPECT_TRUE(event && std::holds_alternative<ServerReady>(*event));
    static_cast<void>(take_output());
  }
};

// The next event as text, "" if there is none.
std::string next(AuthClient& client) {
  const auto event = client.next();
  if (!event) return "";
  if (std::holds_alternative<ServerReady>(*event)) return "ready";
  if (const auto* challenge = std::get_if<ChallengeReceived>(&*event)) {
    return "challenge " + std::to_string(challenge->id) + " " + challenge->challenge;
  }
  if (const auto* ok = std::get_if<OkReceived>(&*event)) {
    return "ok " + std::to_string(ok->id) + " " + ok->user +
           (ok->final_data ? " final " + *ok->final_data : "");
  }
  if (const auto* fail = std::get_if<FailReceived>(&*event)) {
    return "fail " + std::to_string(fail->id) + " '" + fail->user + "' code " +
           std::to_string(static_cast<int>(fail->code)) + " '" + fail->reason + "'" +
           (fail->final_data ? " final " + *fail->final_data : "");
  }
  return "error " + std::get<ProtocolError>(*event).reason;
}

std::string next_after(AuthClient& client, std::string_view bytes) {
  client.receive(bytes);
  return next(client);
}

TEST(AuthClient, SpeaksFirst) {
  AuthClient client(21032);
  EXPECT_EQ(output_of(client), "VERSION\t1\t2\nCPID\t21032\n");
  AuthClient newest(1, 4);
  EXPECT_EQ(output_of(newest), "VERSION\t1\t4\nCPID\t1\n");
}

TEST(AuthClient, ReadsTheHandshakeOfDovecotByteByByte) {
  AuthClient client(21032);
  for (size_t i = 0; i + 1 < kDovecot.size(); ++i) {
    client.receive(kDovecot.substr(i, 1));
    ASSERT_FALSE(client.next());
    ASSERT_FALSE(client.is_ready());
  }
  EXPECT_EQ(next_after(client, "\n"), "ready");
  EXPECT_TRUE(client.is_ready());
  const ServerInfo& server = client.server();
  EXPECT_EQ(server.minor, 2u);
  EXPECT_EQ(server.spid, 17937u);
  EXPECT_EQ(server.cuid, 1u);
  EXPECT_EQ(server.cookie, "cde9c092186b5f8b04eac6caa9506fc1");
  EXPECT_EQ(server.mechanisms, (std::vector<MechanismOffer>{
                                   {.name = "PLAIN", .plaintext = true},
                                   {.name = "LOGIN", .plaintext = true},
                                   {.name = "CRAM-MD5", .dictionary = true, .active = true}}));
  EXPECT_EQ(server.find("cram-md5"), &server.mechanisms[2]);
  EXPECT_EQ(server.find("CRAM"), nullptr);
}

TEST(AuthClient, ReadsWhatOurServerSays) {
  const std::vector<MechanismOffer> offers = {{.name = "A",
                                               .is_private = true,
                                               .anonymous = true,
                                               .plaintext = true,
                                               .dictionary = true,
                                               .active = true,
                                               .forward_secrecy = true,
                                               .mutual_auth = true,
                                               .channel_binding = true},
                                              {.name = "B"}};
  AuthServer server(ServerHandshake{.mechanisms = offers, .spid = 7, .cuid = 8});
  ReadyClient client(server.take_output());
  EXPECT_EQ(client.server().mechanisms, offers);
  EXPECT_EQ(client.server().spid, 7u);
  EXPECT_EQ(client.server().cookie, std::string(32, '0'));
}

TEST(AuthClient, ToleratesTheOrderOfTheWrittenSpecAndUnknownLines) {
  ReadyClient client(
      "VERSION\t1\t9\nSPID\t1\nCUID\t2\nCOOKIE\tab\n\nNEWS\nMECH\nNEWS\t1\t2\nMECH\tPLAIN\tbright\t"
      "plaintext\r\nDONE\textra\n");
  EXPECT_EQ(client.server().mechanisms,
            (std::vector<MechanismOffer>{{.name = "PLAIN", .plaintext = true}}));
}

TEST(AuthClient, RefusesAHandshakeItCannotUse) {
  const struct {
    std::string bytes;
    const char* reason;
  } kCases[] = {
      {"220 smtp.example.com ESMTP\n", "error the first line is not VERSION"},
      {"VERSION\t2\t0\n", "error the major version is not 1"},
      {"VERSION\t1\tx\n", "error the minor version is not a number"},
      {"VERSION\t1\t1\nDONE\n", "error the server offers no mechanism"},
      {std::string(16384, 'V'), "error line longer than 16384 bytes"},
      {std::string("VERSION\t1\t\0\n", 12), "error NUL byte in a line"},
      {"VERSION\t1\t2\n" +
           [] {
             std::string lines;
             for (int i = 0; i < 101; ++i) lines += "MECH\tX\n";
             return lines;
           }(),
       "error more than 100 mechanisms"},
  };
  for (const auto& c : kCases) {
    AuthClient client(1);
    EXPECT_EQ(next_after(client, c.bytes), c.reason);
    EXPECT_EQ(next_after(client, kDovecot), "") << "after " << c.reason;
    EXPECT_FALSE(client.is_ready());
  }
}

TEST(AuthClient, WritesAuth) {
  ReadyClient client;
  EXPECT_EQ(client.authenticate({.mechanism = "LOGIN"}), 1u);
  EXPECT_EQ(output_of(client), "AUTH\t1\tLOGIN\tservice=smtp\n");
  EXPECT_EQ(client.authenticate({.mechanism = "PLAIN",
                                 .service = "imap",
                                 .rip = "2001:db8::1",
                                 .lip = "192.0.2.1",
                                 .rport = 40000,
                                 .lport = 143,
                                 .secured = Secured::kTls,
                                 .valid_client_cert = true,
                                 .no_penalty = true,
                                 .nologin = true,
                                 .final_resp_ok = true,
                                 .debug = true,
                                 .session = "a\tb",
                                 .local_name = "mx",
                                 .client_id = "id\n",
                                 .cert_username = "al",
                                 .initial_response = std::string_view("\0alice\0secret", 13)}),
            2u);
  EXPECT_EQ(output_of(client),
            "AUTH\t2\tPLAIN\tservice=imap\tnologin\tlip=192.0.2.1\trip=2001:db8::1\tlport=143\t"
            "rport=40000\tsecured=tls\tvalid-client-cert\tno-penalty\tfinal-resp-ok\tdebug\t"
            "session=a\001tb\tlocal_name=mx\tclient_id=id\001n\tcert_username=al\t"
            "resp=AGFsaWNlAHNlY3JldA==\n");
  EXPECT_EQ(client.authenticate(
                {.mechanism = "EXTERNAL", .secured = Secured::kYes, .initial_response = ""}),
            3u);
  EXPECT_EQ(output_of(client), "AUTH\t3\tEXTERNAL\tservice=smtp\tsecured\tresp==\n");
}

TEST(AuthClient, SaysProtocolToServersThatKnowIt) {
  ReadyClient client("VERSION\t1\t3\nMECH\tPLAIN\nDONE\n");
  ASSERT_TRUE(client.authenticate({.mechanism = "PLAIN"}));
  EXPECT_EQ(output_of(client), "AUTH\t1\tPLAIN\tprotocol=smtp\n");
}

TEST(AuthClient, ReadsReplies) {
  // name, line, event; all for id 1.
  const struct {
    const char* line;
    const char* event;
  } kCases[] = {
      {"OK\t1\tuser=alice\n", "ok 1 alice"},
      {"OK\t1\tnologin\tuser=a\001tb\toriginal_user=x\tresp=dj0x\n", "ok 1 a\tb final v=1"},
      {"OK\t1\n", "error OK without user="},
      {"OK\t1\tuser=\n", "error OK without user="},
      {"OK\t1\tuser=a\tresp=?\n", "error OK with final data that is not base64"},
      {"FAIL\t1\n", "fail 1 '' code 0 ''"},
      {"FAIL\t1\tuser=zed\n", "fail 1 'zed' code 0 ''"},
      {"FAIL\t1\tuser=a\tcode=temp_fail\ttemp\n", "fail 1 'a' code 1 ''"},
      {"FAIL\t1\tuser=a\ttemp\n", "fail 1 'a' code 1 ''"},
      {"FAIL\t1\tauthz\n", "fail 1 '' code 2 ''"},
      {"FAIL\t1\tcode=authz_fail\n", "fail 1 '' code 2 ''"},
      {"FAIL\t1\tuser_disabled\n", "fail 1 '' code 3 ''"},
      {"FAIL\t1\tcode=pass_expired\treason=Password expired\n",
       "fail 1 '' code 4 'Password expired'"},
      {"FAIL\t1\tcode=invalid_base64\treason=Invalid base64 data in initial response\n",
       "fail 1 '' code 5 'Invalid base64 data in initial response'"},
      {"FAIL\t1\tcode=news\tresp=e30=\n", "fail 1 '' code 0 '' final {}"},
      {"CONT\t1\t\n", "challenge 1 "},
      {"CONT\t1\tVXNlcm5hbWU6\n", "challenge 1 Username:"},
      {"CONT\t1\tVXNlcm5hbWU6\tchannel_binding=tls-exporter\n", "challenge 1 Username:"},
      {"CONT\t1\t#\n", "error a challenge that is not base64"},
      {"CONT\t1\tVXNlcm5hbWU\n", "error a challenge that is not base64"},
      {"OK\t0\tuser=a\n", "error a reply with an id that is not a number from 1 to 4294967295"},
      {"FAIL\n", "error a reply with an id that is not a number from 1 to 4294967295"},
      {"OK\t2\tuser=mallory\n", ""},
      {"CANCELLED\t1\n", ""},
      {"NEWS\n", ""},
      {"\n", ""},
  };
  for (const auto& c : kCases) {
    ReadyClient client;
    ASSERT_EQ(client.authenticate({.mechanism = "PLAIN"}), 1u);
    EXPECT_EQ(next_after(client, c.line), c.event) << c.line;
  }
}

TEST(AuthClient, KeepsManyRequestsApart) {
  ReadyClient client;
  for (uint32_t id = 1; id <= 3; ++id) ASSERT_EQ(client.authenticate({.mechanism = "LOGIN"}), id);
  client.receive("CONT\t3\tMw==\nFAIL\t1\tuser=one\nOK\t2\tuser=two\nOK\t2\tuser=again\n");
  EXPECT_EQ(next(client), "challenge 3 3");
  EXPECT_EQ(next(client), "fail 1 'one' code 0 ''");
  EXPECT_EQ(next(client), "ok 2 two");
  EXPECT_EQ(next(client), "");
  EXPECT_EQ(client.live_requests(), 1u);
}

TEST(AuthClient, AnswersAChallengeOnce) {
  ReadyClient client;
  ASSERT_TRUE(client.authenticate({.mechanism = "LOGIN"}));
  EXPECT_FALSE(client.respond(1, "early"));
  EXPECT_EQ(next_after(client, "CONT\t1\t\n"), "challenge 1 ");
  static_cast<void>(client.take_output());
  EXPECT_TRUE(client.respond(1, "alice"));
  EXPECT_EQ(output_of(client), "CONT\t1\tYWxpY2U=\n");
  EXPECT_FALSE(client.respond(1, "twice"));
  EXPECT_EQ(next_after(client, "CONT\t1\t\n"), "challenge 1 ");
  EXPECT_TRUE(client.respond(1, ""));
  EXPECT_EQ(output_of(client), "CONT\t1\t\n");
  EXPECT_FALSE(client.respond(2, "unknown"));
}

TEST(AuthClient, ForgetsWhatItCancels) {
  ReadyClient client;
  ASSERT_TRUE(client.authenticate({.mechanism = "LOGIN"}));
  static_cast<void>(client.take_output());
  client.cancel(1);
  client.cancel(1);
  EXPECT_EQ(output_of(client), "CANCEL\t1\n");
  EXPECT_EQ(next_after(client, "OK\t1\tuser=alice\n"), "");
}

TEST(AuthClient, SendsNothingThatAServerCouldNotRead) {
  AuthClient early(1);
  EXPECT_FALSE(early.authenticate({.mechanism = "PLAIN"}));
  ReadyClient client;
  const std::string large(12300, 'x');
  EXPECT_FALSE(client.authenticate({.mechanism = "PLAIN", .initial_response = large}));
  EXPECT_EQ(client.live_requests(), 0u);
  ASSERT_TRUE(client.authenticate({.mechanism = "PLAIN"}));
  EXPECT_EQ(next_after(client, "CONT\t2\t\n"), "challenge 2 ");
  static_cast<void>(client.take_output());
  EXPECT_FALSE(client.respond(2, large));
  EXPECT_EQ(output_of(client), "");
  EXPECT_TRUE(client.respond(2, large.substr(0, 12000)));
}

TEST(AuthClient, HasABoundOfUnfinishedRequests) {
  ReadyClient client;
  for (size_t i = 0; i < kMaxLiveRequests; ++i) {
    ASSERT_TRUE(client.authenticate({.mechanism = "PLAIN"}));
  }
  EXPECT_FALSE(client.authenticate({.mechanism = "PLAIN"}));
  client.cancel(5);
  EXPECT_TRUE(client.authenticate({.mechanism = "PLAIN"}));
}

TEST(AuthClient, CarriesEveryByteToOurServerAndBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  AuthServer server(ServerHandshake{.mechanisms = {{.name = "PLAIN"}}});
  ReadyClient client(server.take_output());
  server.receive("VERSION\t1\t2\nCPID\t1\n");
  ASSERT_FALSE(server.next());

  ASSERT_TRUE(client.authenticate({.mechanism = "PLAIN", .session = all, .initial_response = all}));
  server.receive(client.take_output().reveal());
  auto event = server.next();
  ASSERT_TRUE(event);
  const auto& request = std::get<AuthRequest>(*event);
  EXPECT_EQ(request.session, all);
  EXPECT_EQ(request.initial_response->reveal(), all);

  server.challenge(request.id, all);
  EXPECT_EQ(next_after(client, server.take_output()), "challenge 1 " + all);
  ASSERT_TRUE(client.respond(1, all));
  server.receive(client.take_output().reveal());
  event = server.next();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<ContinueRequest>(*event).response.reveal(), all);

  server.ok(1, {.user = all});
  EXPECT_EQ(next_after(client, server.take_output()), "ok 1 " + all);
}

}  // namespace
}  // namespace saslatch::dovecot
