#include "daemon/net/server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <new>

#include "daemon/net/clock.h"
#include "tests/daemon/net/temporary_folder.h"
#include "tests/lack_of_memory.h"

namespace saslatch::net {
namespace {

// Says back what it is told, `factor` times.
class EchoSession final : public Session {
 public:
  // `ended` counts the ends of input that sessions are told of.
  EchoSession(int factor, std::atomic<int>& ended) : factor_(factor), ended_(ended) {}
  void receive(std::string_view bytes, Now) override {
    if (bytes == "too much") throw std::bad_alloc();
    for (int i = 0; i < factor_; ++i) output_ += bytes;
  }
  void end_of_input(Now) override {
    ++ended_;
    over_ = true;
  }
  void drain(Now) override {
    output_ += "bye";
    over_ = true;
  }
  void on_answer(uint64_t, Answer, Now) override {}
  void on_release(uint64_t, Now) override {}
  void on_wake(uint64_t, Now) override {}
  [[nodiscard]] std::optional<Mono> next_deadline() const override { return std::nullopt; }
  void on_deadline(Now) override {}
  [[nodiscard]] std::string take_output() override { return std::exchange(output_, {}); }
  [[nodiscard]] bool is_over() const override { return over_; }

 private:
  int factor_;
  std::atomic<int>& ended_;
  bool over_ = false;
  std::string output_;
};

class Silence final : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view,
             std::initializer_list<LogField>) override {}
};

// A client that waits for what it reads, and for the end.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ =
        connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool is_connected() const { return connected_; }
  void say(std::string_view text) { ASSERT_GT(send(fd_.get(), text.data(), text.size(), 0), 0); }
  std::string read(size_t size) {
    std::string text(size, '\0');
    const ssize_t got = recv(fd_.get(), text.data(), size, MSG_WAITALL);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
  }
  bool has_something(std::chrono::milliseconds patience) {
    pollfd wait_for{fd_.get(), POLLIN, 0};
    return poll(&wait_for, 1, static_cast<int>(patience.count())) == 1;
  }
  void end_input() { shutdown(fd_.get(), SHUT_WR); }
  // Sends until the server takes no more; returns how much it took. Bounded.
  size_t flood(size_t most) {
    const std::string chunk(4096, 'x');
    size_t sent = 0;
    while (sent < most) {
      const ssize_t now = send(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (now > 0) {
        sent += static_cast<size_t>(now);
        continue;
      }
      pollfd room{fd_.get(), POLLOUT, 0};
      if (poll(&room, 1, 500) == 0) break;
    }
    return sent;
  }

 private:
  FileDescriptor fd_;
  bool connected_;
};

class ServerTest : public ::testing::Test {
 protected:
  Endpoint endpoint(const std::string& name, int factor = 1) {
    UnixAddress address;
    address.path = folder / name;
    return {name, address, [this, factor](const NewConnection&, Now) {
              return std::make_unique<EchoSession>(factor, ended);
            }};
  }
  std::vector<Endpoint> endpoints(std::initializer_list<const char*> names) {
    std::vector<Endpoint> all;
    for (const char* name : names) all.push_back(endpoint(name));
    return all;
  }

  saslatch::testing::TemporaryFolder folder;
  Clock clock;
  Metrics metrics;
  Silence log;
  std::atomic<int> ended = 0;
  Server server{2, clock, metrics, log};
};

TEST_F(ServerTest, ServesManyClientsOnAllItsLoops) {
  ASSERT_TRUE(server.open(endpoints({"a"})).empty());
  server.start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(std::make_unique<Client>(folder / "a"));
  for (const auto& client : clients) client->say("hello");
  for (const auto& client : clients) EXPECT_EQ(client->read(5), "hello");
  EXPECT_EQ(metrics.connections.value(), 50);
  server.stop(std::chrono::milliseconds(1000));
  for (const auto& client : clients) EXPECT_EQ(client->read(10), "bye");
}

TEST_F(ServerTest, WritesWhatIsFinishedAfterTheEndOfInput) {
  ASSERT_TRUE(server.open(endpoints({"a"})).empty());
  server.start();
  Client client(folder / "a");
  client.say("last words");
  client.end_input();
  EXPECT_EQ(client.read(100), "last words");
  server.stop(std::chrono::milliseconds(1000));
}

// A session may begin something at the end of its input; for a client that has gone it must not.
TEST_F(ServerTest, TellsOfTheEndOfInputOnlyWhereSomebodyIsLeftToHear) {
  ASSERT_TRUE(server.open(endpoints({"a"})).empty());
  server.start();
  {
    Client gone(folder / "a");
    gone.say("hi");
    EXPECT_EQ(gone.read(2), "hi");
  }
  while (metrics.connections.value() != 0) std::this_thread::yield();
  EXPECT_EQ(ended, 0);
  Client left(folder / "a");
  left.end_input();
  EXPECT_EQ(left.read(1), "");
  EXPECT_EQ(ended, 1);
  server.stop(std::chrono::milliseconds(1000));
}

TEST_F(ServerTest, DoesNotReadFromAClientThatDoesNotRead) {
  std::vector<Endpoint> loud;
  loud.push_back(endpoint("loud", 8));
  ASSERT_TRUE(server.open(std::move(loud)).empty());
  server.start();
  Client greedy(folder / "loud");
  constexpr size_t kMost = 64 << 20;
  EXPECT_LT(greedy.flood(kMost), kMost / 4) << "only the kernel's buffers fill up";
  Client other(folder / "loud");
  other.say("x");
  EXPECT_EQ(other.read(8), "xxxxxxxx") << "and nobody else waits for it";
  server.stop(std::chrono::milliseconds(0));
}

TEST_F(ServerTest, LetsGoWhomItHasNoMemoryForAndServesTheRest) {
  ASSERT_TRUE(server.open(endpoints({"a"})).empty());
  ASSERT_TRUE(server
                  .open({{"greedy", UnixAddress{folder / "greedy", {}, {}, {}},
                          [](const NewConnection&, Now) -> std::unique_ptr<Session> {
                            throw std::bad_alloc();
                          }}})
                  .empty());
  server.start();
  std::vector<Client> others;
  for (int i = 0; i < 4; ++i) others.emplace_back(folder / "a");
  for (int i = 0; i < 20; ++i) {
    Client asks_too_much(folder / "a");
    asks_too_much.say("too much");
    EXPECT_EQ(asks_too_much.read(1), "") << "hung up on";
    Client unlucky(folder / "greedy");
    EXPECT_EQ(unlucky.read(1), "") << "hung up on";
    server.on_each_loop([](size_t) { throw std::bad_alloc(); });
    for (Client& other : others) {
      other.say("hello");
      EXPECT_EQ(other.read(5), "hello");
    }
  }
  others.clear();
  server.stop(std::chrono::seconds(5));
  EXPECT_EQ(metrics.out_of_memory.value(), 20u * 4u) << "two clients, and a task on two loops";
  EXPECT_EQ(metrics.connections.value(), 0);
}

// Memory ends on the loop's own thread while clients come, at each allocation of theirs in turn:
// once, and for as long as they come.
TEST_F(ServerTest, AcceptsAgainAfterAnyLackOfMemory) {
  using saslatch::testing::LackOfMemory;
  Server alone(1, clock, metrics, log);
  ASSERT_TRUE(alone.open(endpoints({"a"})).empty());
  alone.start();
  for (const size_t many : {size_t{1}, SIZE_MAX}) {
    for (size_t spared = 0; spared < 30; ++spared) {
      const uint64_t accepted = metrics.connections_accepted.value();
      const uint64_t failed = metrics.out_of_memory.value();
      std::unique_ptr<LackOfMemory> lack;
      std::promise<void> all_are_there;
      alone.on_each_loop([&, wait = all_are_there.get_future().share()](size_t) {
        wait.wait();
        lack = std::make_unique<LackOfMemory>(spared, many);
      });
      std::vector<Client> clients;  // the kernel takes them, whoever serves them
      for (int i = 0; i < 5; ++i) clients.emplace_back(folder / "a");
      all_are_there.set_value();
      while (metrics.out_of_memory.value() == failed &&
             metrics.connections_accepted.value() < accepted + clients.size())
        std::this_thread::yield();
      std::promise<void> is_over;
      alone.on_each_loop([&](size_t) {
        lack.reset();
        is_over.set_value();
      });
      is_over.get_future().wait();
      Client next(folder / "a");
      next.say("hello");
      ASSERT_TRUE(next.has_something(std::chrono::seconds(20)))
          << "nobody accepts after " << spared << " allocations";
      ASSERT_EQ(next.read(5), "hello");
    }
  }
  alone.stop(std::chrono::seconds(5));
}

TEST_F(ServerTest, ReplacesItsEndpointsWithoutLosingAClient) {
  ASSERT_TRUE(server.open(endpoints({"a", "b"})).empty());
  server.start();
  Client at_a(folder / "a");
  Client at_b(folder / "b");
  ASSERT_TRUE(server.replace(endpoints({"b", "c"})).empty());
  EXPECT_FALSE(Client(folder / "a").is_connected());
  EXPECT_TRUE(Client(folder / "b").is_connected());
  EXPECT_TRUE(Client(folder / "c").is_connected());
  at_a.say("still");
  EXPECT_EQ(at_a.read(5), "still");
  at_b.say("here");
  EXPECT_EQ(at_b.read(4), "here");
  server.stop(std::chrono::milliseconds(1000));
}

TEST_F(ServerTest, ChangesNothingWhenOneOfTheNewEndpointsFails) {
  ASSERT_TRUE(server.open(endpoints({"a"})).empty());
  server.start();
  const std::vector<Error> errors = server.replace(endpoints({"b", "no/folder", "no/other"}));
  ASSERT_EQ(errors.size(), 2u) << "every error, not only the first";
  EXPECT_NE(errors[0].message.find("[listen.no/folder]"), std::string::npos);
  EXPECT_TRUE(Client(folder / "a").is_connected());
  EXPECT_FALSE(Client(folder / "b").is_connected());
  server.stop(std::chrono::milliseconds(1000));
}

TEST_F(ServerTest, IsNotAliveWhileALoopIsStuck) {
  const auto come_round = [this] {
    std::promise<void> both;
    std::atomic<size_t> loops = 0;
    server.on_each_loop([&](size_t) {
      if (++loops == server.threads()) both.set_value();
    });
    both.get_future().wait();
  };
  server.start();
  EXPECT_TRUE(server.is_alive());
  come_round();
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  server.on_each_loop([released](size_t index) {
    if (index == 0) released.wait();
  });
  EXPECT_TRUE(server.is_alive()) << "the first question was answered";
  EXPECT_FALSE(server.is_alive());
  EXPECT_FALSE(server.is_alive());
  release.set_value();
  come_round();
  EXPECT_TRUE(server.is_alive());
  server.stop(std::chrono::milliseconds(1000));
}

// A service manager that holds sockets of its own and gives copies of them.
class InheritingServerTest : public ServerTest {
 protected:
  void hold(const char* path) {
    UnixAddress address;
    address.path = folder / path;
    auto socket = ListeningSocket::open(address);
    ASSERT_TRUE(socket);
    held_.push_back(std::move(*socket));
    InheritedSocket given;
    given.fd = FileDescriptor(dup(held_.back().get()));
    given.address = address;
    given_.push_back(std::move(given));
  }
  void give(std::initializer_list<const char*> names) {
    size_t next = 0;
    for (const char* name : names) given_.at(next++).name = name;
    server.inherit(std::move(given_));
  }
  std::string echo(const char* path) {
    Client client(folder / path);
    if (!client.is_connected()) return "not connected";
    client.say("hi");
    return client.read(2);
  }

 private:
  std::vector<ListeningSocket> held_;
  std::vector<InheritedSocket> given_;
};

TEST_F(InheritingServerTest, TakesAnInheritedSocketByAddressOrByName) {
  hold("a");
  hold("elsewhere");
  give({"x", "b"});
  ASSERT_TRUE(server.open(endpoints({"a", "b"})).empty());
  server.start();
  for (const EndpointStatus& status : server.status()) EXPECT_TRUE(status.inherited);
  EXPECT_EQ(echo("elsewhere"), "hi");
  server.stop(std::chrono::milliseconds(1000));
  EXPECT_TRUE(std::filesystem::exists(folder / "a")) << "an inherited socket is never unlinked";
}

TEST_F(InheritingServerTest, ServesEverySocketThatOneEndpointWasGiven) {
  hold("a");
  hold("elsewhere");
  give({"a", "a"});
  ASSERT_TRUE(server.open(endpoints({"a"})).empty());
  server.start();
  ASSERT_EQ(server.status().size(), 1u);
  EXPECT_EQ(server.status()[0].addresses.size(), 2u);
  EXPECT_EQ(echo("a"), "hi");
  EXPECT_EQ(echo("elsewhere"), "hi");
  server.stop(std::chrono::milliseconds(1000));
}

TEST_F(InheritingServerTest, GivesASocketToTheEndpointThatAReloadNamesForIt) {
  hold("a");
  hold("b");
  give({"a", "a"});
  ASSERT_TRUE(server.open(endpoints({"a"})).empty());
  server.start();
  ASSERT_TRUE(server.replace({endpoint("a"), endpoint("b", 2)}).empty());
  EXPECT_EQ(echo("a"), "hi");
  Client doubled(folder / "b");
  doubled.say("hi");
  EXPECT_EQ(doubled.read(4), "hihi");
  ASSERT_TRUE(server.replace({endpoint("b")}).empty());
  ASSERT_TRUE(server.replace({endpoint("a")}).empty());
  EXPECT_EQ(echo("a"), "hi") << "a socket that nobody claimed for a while was lost";
  server.stop(std::chrono::milliseconds(1000));
}

}  // namespace
}  // namespace saslatch::net
