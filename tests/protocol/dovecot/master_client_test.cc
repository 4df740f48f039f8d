#include "protocol/dovecot/master_client.h"

#include <gtest/gtest.h>

namespace saslatch::dovecot {
namespace {

std::string shown(const std::optional<uint32_t>& number) {
  return number ? std::to_string(*number) : "-";
}

std::string next(MasterClient& client) {
  const auto event = client.next();
  if (!event) return "";
  if (const auto* user = std::get_if<UserFound>(&*event)) {
    return "user " + std::to_string(user->id) + " " + user->name + " " + shown(user->uid) + " " +
           shown(user->gid) + " " + user->home;
  }
  if (const auto* none = std::get_if<UserNotFound>(&*event)) {
    return "not found " + std::to_string(none->id);
  }
  if (const auto* failed = std::get_if<LookupFailed>(&*event)) {
    return "failed " + std::to_string(failed->id) + " " + failed->reason;
  }
  if (const auto* entry = std::get_if<ListEntry>(&*event)) {
    return "entry " + std::to_string(entry->id) + " " + entry->name;
  }
  if (const auto* done = std::get_if<ListDone>(&*event)) {
    return "done " + std::to_string(done->id) + (done->is_whole ? "" : " not whole");
  }
  return "error " + std::get<ProtocolError>(*event).reason;
}

TEST(MasterClient, ReadsReplies) {
  const struct {
    const char* line;
    const char* event;
  } kCases[] = {
      {"USER\t1\talice\tuid=1000\tgid=100\thome=/h\001te\textra\n", "user 1 alice 1000 100 /h\te"},
      {"USER\t1\talice\n", "user 1 alice - - "},
      {"USER\t1\talice\tuid=x\tgid=4294967296\n", "user 1 alice - - "},
      {"NOTFOUND\t1\n", "not found 1"},
      {"FAIL\t1\n", "failed 1 "},
      {"FAIL\t1\treason=down\n", "failed 1 down"},
      {"LIST\t1\ta\001tb\n", "entry 1 a\tb"},
      {"DONE\t1\t\n", "done 1"},
      {"DONE\t1\tfail\n", "done 1 not whole"},
      {"SPID\t1\n", ""},
      {"NEWS\n", ""},
      {"DONE\n", "error a reply with an id that is not a number from 1 to 4294967295"},
      {"USER\t0\ta\n", "error a reply with an id that is not a number from 1 to 4294967295"},
  };
  for (const auto& c : kCases) {
    MasterClient client;
    client.receive(std::string("VERSION\t1\t1\nSPID\t17937\n") + c.line);
    EXPECT_EQ(next(client), c.event) << c.line;
    EXPECT_EQ(next(client), "");
  }
}

TEST(MasterClient, RefusesWhatIsNoMasterSocket) {
  const struct {
    std::string bytes;
    const char* event;
  } kCases[] = {
      {"220 smtp\n", "error the first line is not VERSION"},
      {"VERSION\t2\t1\n", "error the major version is not 1"},
      {"VERSION\t1\t2\nMECH\tPLAIN\nSPID\t1\nDONE\n",
       "error a reply with an id that is not a number from 1 to 4294967295"},
      {std::string(8192, 'V'), "error line longer than 8192 bytes"},
  };
  for (const auto& c : kCases) {
    MasterClient client;
    client.receive(c.bytes);
    EXPECT_EQ(next(client), c.event);
    client.receive("VERSION\t1\t1\nNOTFOUND\t1\n");
    EXPECT_EQ(next(client), "");
  }
}

TEST(MasterClient, TalksToOurServer) {
  MasterServer server(17937);
  MasterClient client;
  client.receive(server.take_output());
  EXPECT_EQ(next(client), "");

  EXPECT_EQ(client.user("al\tice", "smtp"), 1u);
  EXPECT_EQ(client.list("*@example.com", "doveadm"), 2u);
  server.receive(client.take_output());
  auto event = server.next();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<UserRequest>(*event).name, "al\tice");
  server.found(1, {.name = "al\tice", .uid = 5, .gid = 6, .home = "/home"});
  event = server.next();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<ListRequest>(*event).mask, "*@example.com");
  EXPECT_TRUE(server.is_listing());
  server.list_entry(2, "bob\n");
  server.list_done(2, true);
  EXPECT_EQ(server.live_requests(), 0u);

  client.receive(server.take_output());
  EXPECT_EQ(next(client), "user 1 al\tice 5 6 /home");
  EXPECT_EQ(next(client), "entry 2 bob\n");
  EXPECT_EQ(next(client), "done 2");
}

TEST(MasterClient, SendsNothingThatAServerCouldNotRead) {
  MasterClient client;
  static_cast<void>(client.take_output());
  EXPECT_FALSE(client.user(std::string(1024, 'u'), "smtp"));
  EXPECT_EQ(client.take_output(), "");
}

TEST(MasterServer, FailsWhatIsBeyondItsBound) {
  MasterServer server(1);
  static_cast<void>(server.take_output());
  server.receive("VERSION\t1\t1\n");
  for (uint32_t id = 1; id <= kMaxLiveMasterRequests; ++id) {
    server.receive("USER\t" + std::to_string(id) + "\ta\tservice=smtp\n");
    ASSERT_TRUE(server.next());
  }
  server.receive("USER\t999\ta\tservice=smtp\nLIST\t1000\n");
  EXPECT_FALSE(server.next());
  EXPECT_EQ(server.take_output(), "FAIL\t999\treason=Too many requests\nDONE\t1000\tfail\n");
  EXPECT_FALSE(server.is_listing());
}

}  // namespace
}  // namespace saslatch::dovecot
