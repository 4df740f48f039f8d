#include "protocol/dovecot/auth_server.h"

#include <gtest/gtest.h>

#include <vector>

namespace saslatch::dovecot {
namespace {

// A server that has read the client's greeting and whose own is out.
struct GreetedServer : AuthServer {
  GreetedServer() : AuthServer({.mechanisms = {{.name = "PLAIN", .plaintext = true}}}) {
    static_cast<void>(take_output());
    receive("VERSION\t1\t2\nCPID\t1\n");
    EXPECT_FALSE(next());
  }
};

std::string auth(uint32_t id) {
  return "AUTH\t" + std::to_string(id) + "\tPLAIN\tservice=smtp\tresp=AGEAYg==\n";
}

TEST(AuthServer, FitsTwelveMechanismsIntoTheOneReadOfRadicale) {
  ServerHandshake handshake{.spid = 4294967295, .cuid = 4294967295};
  handshake.cookie.fill(0xff);
  handshake.mechanisms.assign(12, {.name = "SCRAM-SHA-256",
                                   .dictionary = true,
                                   .active = true,
                                   .forward_secrecy = true,
                                   .mutual_auth = true});
  AuthServer server(handshake);
  const std::string output = server.take_output();
  EXPECT_LT(output.size(), 1024u);
  EXPECT_TRUE(output.ends_with("\nDONE\n"));
  EXPECT_EQ(server.take_output(), "");
}

TEST(AuthServer, WritesEveryFlagInDovecotsOrder) {
  AuthServer server(ServerHandshake{.mechanisms = {{.name = "X",
                                                    .is_private = true,
                                                    .anonymous = true,
                                                    .plaintext = true,
                                                    .dictionary = true,
                                                    .active = true,
                                                    .forward_secrecy = true,
                                                    .mutual_auth = true,
                                                    .channel_binding = true}}});
  EXPECT_NE(server.take_output().find(
                "\nMECH\tX\tprivate\tanonymous\tplaintext\tdictionary\tactive\tforward-secrecy\t"
                "mutual-auth\tchannel-binding\n"),
            std::string::npos);
}

TEST(AuthServer, AnswersTempFailAtItsBoundOfLiveRequests) {
  GreetedServer server;
  for (uint32_t id = 1; id <= kMaxLiveRequests; ++id) {
    server.receive(auth(id));
    const auto event = server.next();
    ASSERT_TRUE(event && std::holds_alternative<AuthRequest>(*event)) << id;
  }
  EXPECT_EQ(server.live_requests(), kMaxLiveRequests);
  server.receive(auth(99999));
  EXPECT_FALSE(server.next());
  EXPECT_EQ(server.take_output(), "FAIL\t99999\tcode=temp_fail\ttemp\n");

  server.ok(17, {.user = "a"});
  EXPECT_EQ(server.take_output(), "OK\t17\tuser=a\n");
  server.receive(auth(99999));
  const auto event = server.next();
  EXPECT_TRUE(event && std::holds_alternative<AuthRequest>(*event));
}

TEST(AuthServer, TellsWhenAVerdictWaitsForItsDummyResponse) {
  GreetedServer server;
  server.receive(auth(1) + auth(2));
  while (server.next()) {
  }
  EXPECT_TRUE(server.ok(1, {.user = "a"}));
  EXPECT_FALSE(server.ok(2, {.user = "a", .final_data = "v=1"}));
  EXPECT_EQ(server.live_requests(), 1u);
  EXPECT_TRUE(server.ok(3, {.user = "a"})) << "not live";
}

TEST(AuthServer, TakesNothingMoreOnceTheProtocolIsBroken) {
  GreetedServer server;
  server.receive("NONSENSE\n" + auth(1));
  const auto event = server.next();
  ASSERT_TRUE(event && std::holds_alternative<ProtocolError>(*event));
  server.receive(auth(2));
  EXPECT_FALSE(server.next());
  EXPECT_EQ(server.live_requests(), 0u);
  EXPECT_EQ(server.take_output(), "");
}

TEST(AuthServer, KnowsTheClientsMinorFromItsVersionOn) {
  AuthServer server(ServerHandshake{});
  EXPECT_EQ(server.client_minor(), 0u);
  server.receive("VERSION\t1\t4\n");
  EXPECT_FALSE(server.next());
  EXPECT_EQ(server.client_minor(), 4u);
}

TEST(AuthServer, CountsTheBytesThatWaitToBeWritten) {
  GreetedServer server;
  server.receive("CONT\t1\t\n");
  EXPECT_FALSE(server.next());
  const size_t size = server.output_size();
  EXPECT_GT(size, 0u);
  EXPECT_EQ(server.take_output().size(), size);
  EXPECT_EQ(server.output_size(), 0u);
}

}  // namespace
}  // namespace saslatch::dovecot
