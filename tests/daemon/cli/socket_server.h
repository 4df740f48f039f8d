#ifndef SASLATCH_TESTS_DAEMON_CLI_SOCKET_SERVER_H_
#define SASLATCH_TESTS_DAEMON_CLI_SOCKET_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace saslatch::cli {

// What one connection of a SocketServer does with its bytes.
class Peer {
 public:
  virtual ~Peer() = default;
  // The first bytes it sends, and those in answer to `bytes`.
  virtual std::string greet() { return {}; }
  virtual std::string receive(std::string_view bytes) = 0;
  // True: the connection is closed once all is written.
  virtual bool is_over() { return false; }
};

// Listens on a UNIX socket and serves one connection after another on a thread of its own, until
// destroyed.
class SocketServer {
 public:
  using MakePeer = std::function<std::unique_ptr<Peer>()>;

  SocketServer(const std::string& path, MakePeer make_peer);
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

 private:
  void run();
  void serve(int connection);
  // False when the server is to stop; waits until `descriptor` can be read.
  bool wait_for(int descriptor) const;

  MakePeer make_peer_;
  int listener_;
  int stop_[2];  // a pipe that is closed to stop
  std::thread thread_;
};

// A mail server's view of a small site, for `saslatch test`: PLAIN, LOGIN and CRAM-MD5 through the
// real mechanisms. alice's password is "secret"; busy@... gets no answer but a closed connection,
// and tired@... code=temp_fail; who comes without `secured` is refused.
std::unique_ptr<Peer> make_auth_peer();

}  // namespace saslatch::cli

#endif  // SASLATCH_TESTS_DAEMON_CLI_SOCKET_SERVER_H_
