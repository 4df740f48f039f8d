#include "daemon/net/reactor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include "tests/daemon/net/temporary_folder.h"

namespace saslatch::net {
namespace {

using namespace std::chrono_literals;
using state::redis::Stream;
using state::redis::StreamEvents;
using state::redis::Target;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;

// A server for one connection, on a port of the kernel's choice: `serve` runs on a thread of its
// own with the accepted socket, which is closed behind it.
template <typename Protocol>
class Peer {
 public:
  using Socket = typename Protocol::socket;
  Peer(const typename Protocol::endpoint& endpoint, std::function<void(Socket&)> serve)
      : acceptor_(context_, endpoint), thread_([this, serve = std::move(serve)] {
          boost::system::error_code error;
          Socket socket(context_);
          acceptor_.accept(socket, error);
          if (!error) serve(socket);
        }) {}
  ~Peer() {
    // Wakes an accept() that nobody came to.
    shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] Target target() const {
    return {"127.0.0.1", std::to_string(acceptor_.local_endpoint().port()), "", false};
  }

 private:
  asio::io_context context_;
  typename Protocol::acceptor acceptor_;
  std::thread thread_;
};

Tcp::endpoint loopback() { return {asio::ip::address_v4::loopback(), 0}; }

// Says back what it reads until the client is gone.
template <typename Socket>
void echo(Socket& socket) {
  std::string bytes(65536, '\0');
  boost::system::error_code error;
  while (!error) {
    const size_t got = socket.read_some(asio::buffer(bytes), error);
    if (!error) asio::write(socket, asio::buffer(bytes.data(), got), error);
  }
}

// A client on a reactor's thread that notes what it is told.
class Client {
 public:
  explicit Client(TlsFiles tls = {}) : reactor_(std::move(tls)) { reactor_.start(); }
  ~Client() {
    reactor_.stop();
    stream_.reset();
  }

  // Connects and says `bytes` before it can be connected.
  void connect(const Target& target, const std::string& bytes = "") {
    on_reactor([this, target, bytes] {
      StreamEvents events;
      events.connected = [this] { note("connected"); };
      events.received = [this](std::string_view got) {
        check();
        received_ += got;
        if (received_.size() >= wanted_) done_.set_value();
      };
      events.closed = [this](const std::string& why) {
        note("closed: " + why);
        done_.set_value();
      };
      inside_ = true;
      stream_ = reactor_.connect(target, std::move(events));
      if (!bytes.empty()) stream_->send(bytes);
      inside_ = false;
    });
  }
  void send(const std::string& bytes) {
    on_reactor([this, bytes] {
      inside_ = true;
      stream_->send(bytes);
      inside_ = false;
    });
  }
  // Waits for that many bytes since the last time, or the end.
  std::string receive(size_t wanted) {
    wait([this, wanted] {
      wanted_ = wanted;
      return received_.size() >= wanted;
    });
    std::string got;
    on_reactor([&] { got = std::exchange(received_, {}); });
    return got;
  }
  // Waits for the end and tells everything noted.
  std::vector<std::string> events() {
    wait([] { return false; });
    return notes_;
  }
  void on_reactor(const std::function<void()>& task) {
    std::promise<void> ran;
    reactor_.post([&] {
      task();
      ran.set_value();
    });
    ran.get_future().wait();
  }
  AsioReactor& reactor() { return reactor_; }

 private:
  // Waits for done_ unless `is_done`.
  void wait(const std::function<bool()>& is_done) {
    std::future<void> done;
    on_reactor([&] {
      done_ = {};
      done = done_.get_future();
      const bool is_closed = !notes_.empty() && notes_.back().starts_with("closed");
      wanted_ = SIZE_MAX;
      if (is_done() || is_closed) done_.set_value();
    });
    done.wait();
    on_reactor([&] { wanted_ = SIZE_MAX; });
  }
  void check() { EXPECT_FALSE(inside_) << "an event came from within connect() or send()"; }
  void note(const std::string& event) {
    check();
    notes_.push_back(event);
  }

  bool inside_ = false;
  size_t wanted_ = SIZE_MAX;
  std::string received_;
  std::vector<std::string> notes_;
  std::promise<void> done_;
  AsioReactor reactor_;
  std::unique_ptr<Stream> stream_;
};

TEST(AsioReactor, SendsWhatWasSaidBeforeItWasConnectedInOrder) {
  Peer<Tcp> peer(loopback(), echo<Tcp::socket>);
  Client client;
  client.connect(peer.target(), "one ");
  client.send("two ");
  client.send("three");
  EXPECT_EQ(client.receive(13), "one two three");
}

TEST(AsioReactor, SpeaksOverUnixSockets) {
  const saslatch::testing::TemporaryFolder folder;
  Peer<Local> peer(Local::endpoint(folder / "redis"), echo<Local::socket>);
  Client client;
  client.connect({"", "", folder / "redis", false}, "hello");
  EXPECT_EQ(client.receive(5), "hello");
}

TEST(AsioReactor, FindsTheAddressOfANameThatAnswers) {
  // It is ::1 too on most machines, where nobody listens.
  Peer<Tcp> peer(loopback(), echo<Tcp::socket>);
  Client client;
  Target target = peer.target();
  target.host = "localhost";
  client.connect(target, "hello");
  EXPECT_EQ(client.receive(5), "hello");
}

TEST(AsioReactor, SendsAndTakesMoreThanASocketHolds) {
  Peer<Tcp> peer(loopback(), echo<Tcp::socket>);
  Client client;
  client.connect(peer.target());
  std::string sent;
  for (int i = 0; i < 64; ++i) {
    const std::string piece(100'000, static_cast<char>('a' + i % 26));
    client.send(piece);
    sent += piece;
  }
  EXPECT_TRUE(client.receive(sent.size()) == sent);
}

TEST(AsioReactor, TellsWhyThereIsNoConnection) {
  const saslatch::testing::TemporaryFolder folder;
  uint16_t unused = 0;
  {
    asio::io_context context;
    unused = Tcp::acceptor(context, loopback()).local_endpoint().port();
  }
  const std::string port = std::to_string(unused);
  const std::pair<Target, std::string> kCases[] = {
      {{"127.0.0.1", port, "", false}, "closed: 127.0.0.1:" + port + ": Connection refused"},
      {{"", "", folder / "none", false}, "closed: No such file or directory"},
      {{"", "", folder / std::string(200, 'x'), false}, "closed: the path of the socket is too"},
      {{"127.0.0.1", "http", "", false}, "closed: there is no port http"},
      {{"not..a.name", port, "", false}, "closed: the name not..a.name cannot be looked up: "},
  };
  for (const auto& [target, why] : kCases) {
    Client client;
    client.connect(target, "hello");
    EXPECT_THAT(client.events(), ElementsAre(HasSubstr(why)));
  }
}

TEST(AsioReactor, TellsOnceThatTheServerHasGone) {
  Peer<Tcp> peer(loopback(), [](Tcp::socket& socket) {
    asio::write(socket, asio::buffer(std::string("bye")));
  });
  Client client;
  client.connect(peer.target());
  EXPECT_THAT(client.events(), ElementsAre("connected", "closed: it closed the connection"));
  client.send("to nobody");
  client.on_reactor([] {});
  EXPECT_THAT(client.events(), ElementsAre("connected", "closed: it closed the connection"));
}

TEST(AsioReactor, GivesUpAServerThatDoesNotRead) {
  std::promise<void> over;
  Peer<Tcp> peer(loopback(), [&](Tcp::socket&) { over.get_future().wait(); });
  Client client;
  client.connect(peer.target());
  // A socket's buffers take some of it.
  for (int i = 0; i < 8; ++i) client.send(std::string(ClientStream::kMostUnsent / 4, 'x'));
  EXPECT_EQ(client.events().back(), "closed: it does not read what is sent");
  over.set_value();
}

TEST(AsioReactor, LetsAnEventDestroyItsStream) {
  for (const std::string at : {"connected", "received", "closed"}) {
    SCOPED_TRACE(at);
    Peer<Tcp> peer(loopback(), [](Tcp::socket& socket) {
      asio::write(socket, asio::buffer(std::string("hello")));
    });
    AsioReactor reactor;
    std::unique_ptr<Stream> stream;
    std::vector<std::string> told;
    std::promise<void> done;
    const auto on = [&](const std::string& event) {
      told.push_back(event);
      if (event != at) return;
      stream.reset();
      // Whatever is still on its way would come before this.
      reactor.post([&] { reactor.post([&] { done.set_value(); }); });
    };
    reactor.post([&] {
      stream = reactor.connect(peer.target(),
                               {[=] { on("connected"); }, [=](std::string_view) { on("received"); },
                                [=](const std::string&) { on("closed"); }});
    });
    reactor.start();
    done.get_future().wait();
    reactor.stop();
    EXPECT_EQ(told.back(), at);
  }
}

TEST(AsioReactor, ForgetsAStreamThatIsDestroyedWhileItConnects) {
  Peer<Tcp> peer(loopback(), echo<Tcp::socket>);
  Client client;
  for (const char* host : {"127.0.0.1", "localhost"}) {
    client.on_reactor([&] {
      Target target = peer.target();
      target.host = host;
      const auto never = [] { ADD_FAILURE() << "told of a stream that is gone"; };
      client.reactor().connect(target, {never, [never](std::string_view) { never(); },
                                        [never](const std::string&) { never(); }});
    });
  }
  for (int i = 0; i < 10; ++i) client.on_reactor([] {});
}

TEST(AsioReactor, RunsPostedTasksInOrderOnOneThread) {
  AsioReactor reactor;
  std::vector<int> order;
  std::atomic<int> left = 4;
  std::promise<void> done;
  const auto work = [&](int from) {
    for (int i = 0; i < 1000; ++i) {
      reactor.post([&, number = from + i] { order.push_back(number); });
    }
    reactor.post([&] {
      if (--left == 0) done.set_value();
    });
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back(work, i * 10'000);
  reactor.start();
  for (int i = 2; i < 4; ++i) threads.emplace_back(work, i * 10'000);
  done.get_future().wait();
  for (std::thread& thread : threads) thread.join();
  reactor.stop();
  ASSERT_EQ(order.size(), 4000u);
  std::stable_sort(order.begin(), order.end(),
                   [](int a, int b) { return a / 10'000 < b / 10'000; });
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(AsioReactor, CallsLaterUnlessWhatItGaveIsDestroyed) {
  AsioReactor reactor;
  std::vector<std::string> called;
  std::promise<void> done;
  std::shared_ptr<void> second, first, cancelled, due_and_cancelled;
  const auto began = reactor.now();
  reactor.post([&] {
    second = reactor.call_after(20ms, [&] {
      called.emplace_back("second");
      second.reset();  // by itself
      done.set_value();
    });
    cancelled = reactor.call_after(1ms, [&] { called.emplace_back("cancelled"); });
    cancelled.reset();
    first = reactor.call_after(0ms, [&] {
      called.emplace_back("first");
      due_and_cancelled.reset();
    });
    due_and_cancelled = reactor.call_after(0ms, [&] { called.emplace_back("due and cancelled"); });
  });
  reactor.start();
  done.get_future().wait();
  reactor.stop();
  EXPECT_GE(reactor.now() - began, 20ms);
  EXPECT_THAT(called, ElementsAre("first", "second"));
}

TEST(AsioReactor, ForgetsWhatWasNotRunWhenItStopped) {
  auto held = std::make_shared<int>();
  {
    AsioReactor reactor;
    reactor.start();
    reactor.stop();
    reactor.post([held] { ADD_FAILURE() << "ran after stop()"; });
    reactor.stop();
  }
  EXPECT_EQ(held.use_count(), 1);
}

// A certificate authority, and a server with a certificate of it for `localhost` and 127.0.0.1.
class AsioReactorTls : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(folder_ / "names") << "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    const std::string key = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";
    const std::string ca = " -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -in ";
    if (!run("req -x509" + key + "-days 2 -subj /CN=ca -keyout ca.key -out ca.pem")) {
      GTEST_SKIP() << "there is no openssl command";
    }
    ASSERT_TRUE(run("req -x509" + key + "-days 2 -subj /CN=other -keyout no.key -out other.pem"));
    ASSERT_TRUE(run("req" + key + "-subj /CN=server -keyout server.key -out server.csr"));
    ASSERT_TRUE(run("x509 -req" + ca + "server.csr -out server.pem -extfile names"));
    ASSERT_TRUE(run("req" + key + "-subj /CN=host-a -keyout client.key -out client.csr"));
    ASSERT_TRUE(run("x509 -req" + ca + "client.csr -out client.pem"));
  }
  [[nodiscard]] bool run(const std::string& arguments) const {
    const std::string command =
        "cd " + (folder_ / "") + " && openssl " + arguments + " >log 2>&1 </dev/null";
    return std::system(command.c_str()) == 0;
  }

  // Echoes over TLS; `adjust` may demand more.
  std::function<void(Tcp::socket&)> server(std::function<void(asio::ssl::context&)> adjust =
                                               [](auto&) {}) {
    return [this, adjust](Tcp::socket& socket) {
      asio::ssl::context context(asio::ssl::context::tls_server);
      context.use_certificate_chain_file(folder_ / "server.pem");
      context.use_private_key_file(folder_ / "server.key", asio::ssl::context::pem);
      adjust(context);
      asio::ssl::stream<Tcp::socket&> tls(socket, context);
      boost::system::error_code error;
      tls.handshake(asio::ssl::stream_base::server, error);
      if (!error) echo(tls);
    };
  }
  // What a client with `files` is told that says "hello" to `host` there.
  std::vector<std::string> hello(const TlsFiles& files, const std::string& host,
                                 std::function<void(Tcp::socket&)> serve) {
    Peer<Tcp> peer(loopback(), std::move(serve));
    Client client(files);
    Target target = peer.target();
    target.host = host;
    target.tls = true;
    client.connect(target, "hello");
    const std::string got = client.receive(5);
    return got.empty() ? client.events() : std::vector<std::string>{got};
  }

  const saslatch::testing::TemporaryFolder folder_;
};

TEST_F(AsioReactorTls, SpeaksToAServerWithACertificateForItsName) {
  const TlsFiles files{folder_ / "ca.pem", "", ""};
  EXPECT_THAT(hello(files, "localhost", server()), ElementsAre("hello"));
  EXPECT_THAT(hello(files, "127.0.0.1", server()), ElementsAre("hello"));
}

TEST_F(AsioReactorTls, RefusesACertificateOfAnotherAuthority) {
  EXPECT_THAT(
      hello({folder_ / "other.pem", "", ""}, "localhost", server()),
      ElementsAre(HasSubstr("closed: its certificate is not accepted: unable to get local")));
  EXPECT_THAT(hello({}, "localhost", server()),
              ElementsAre(HasSubstr("closed: its certificate is not accepted: ")));
}

TEST_F(AsioReactorTls, RefusesACertificateForAnotherName) {
  const TlsFiles files{folder_ / "ca.pem", "", ""};
  // The same host by a name and by an address that its certificate does not have.
  ASSERT_TRUE(run("x509 -req -CA ca.pem -CAkey ca.key -days 2 -in server.csr -out server.pem"));
  EXPECT_THAT(hello(files, "localhost", server()),
              ElementsAre("closed: its certificate is not accepted: hostname mismatch"));
  EXPECT_THAT(hello(files, "127.0.0.1", server()),
              ElementsAre("closed: its certificate is not accepted: IP address mismatch"));
}

TEST_F(AsioReactorTls, ShowsItsOwnCertificate) {
  const auto demanding = server([this](asio::ssl::context& context) {
    context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    context.load_verify_file(folder_ / "ca.pem");
  });
  const TlsFiles files{folder_ / "ca.pem", folder_ / "client.pem", folder_ / "client.key"};
  EXPECT_THAT(hello(files, "localhost", demanding), ElementsAre("hello"));
  EXPECT_THAT(hello({folder_ / "ca.pem", "", ""}, "localhost", demanding).back(),
              HasSubstr("it may demand a certificate of this host"));
}

TEST_F(AsioReactorTls, RefusesOldVersions) {
  const auto old = server([](asio::ssl::context& context) {
    SSL_CTX_set_security_level(context.native_handle(), 0);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.native_handle(), TLS1_1_VERSION);
  });
  EXPECT_THAT(hello({folder_ / "ca.pem", "", ""}, "localhost", old),
              ElementsAre(HasSubstr("closed: TLS: ")));
}

TEST_F(AsioReactorTls, TellsWhichFileCannotBeUsed) {
  for (const TlsFiles& files :
       {TlsFiles{folder_ / "none.pem", "", ""}, TlsFiles{"", folder_ / "none.pem", ""},
        TlsFiles{"", folder_ / "client.pem", folder_ / "none.pem"}}) {
    EXPECT_THAT(hello(files, "localhost", server()),
                ElementsAre(HasSubstr("closed: " + (folder_ / "none.pem") + ": ")));
  }
}

TEST_F(AsioReactorTls, RefusesAServerThatDoesNotSpeakIt) {
  EXPECT_THAT(hello({folder_ / "ca.pem", "", ""}, "localhost", echo<Tcp::socket>),
              ElementsAre(HasSubstr("closed: TLS: ")));
}

}  // namespace
}  // namespace saslatch::net
