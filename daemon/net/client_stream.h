#ifndef SASLATCH_DAEMON_NET_CLIENT_STREAM_H_
#define SASLATCH_DAEMON_NET_CLIENT_STREAM_H_

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/net/name_lookup.h"
#include "daemon/state/redis/reactor.h"

namespace saslatch::net {

// Paths of PEM files, read at each connection, so that a renewed certificate needs no restart.
struct TlsFiles {
  std::string ca;    // empty: the certificate authorities of the system
  std::string cert;  // with its chain; empty: none is shown
  std::string key;   // of `cert`
};

// One connection to a server, kept alive by its own handlers until close(). On the context's thread
// only.
//
// A name's addresses are tried in the order of getaddrinfo: the next one when the last has failed,
// or is silent for kAttemptDelay (RFC 8305); the first that answers is used. TLS is 1.2 or later,
// checks the certificate's chain and that it is good for Target::host, and names it (SNI).
class ClientStream final : public std::enable_shared_from_this<ClientStream> {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol>;

  // The first two outlive this object.
  ClientStream(boost::asio::io_context& context, NameLookup& lookup, state::redis::Target target,
               TlsFiles files, state::redis::StreamEvents events);

  void start();
  void send(std::string bytes);
  // No event is called any more, also if this is called by one.
  void close();

  // RFC 8305, section 5.
  static constexpr std::chrono::milliseconds kAttemptDelay{250};
  // What a server has not taken yet; more, and it is no longer one that answers.
  static constexpr size_t kMostUnsent = 16 << 20;

 private:
  struct Attempt {
    Socket socket;
    NameLookup::Endpoint endpoint;
  };

  void dial(std::vector<NameLookup::Endpoint> endpoints);
  void dial_next();
  void on_dialed(std::list<Attempt>::iterator attempt, const boost::system::error_code& error);
  void begin_tls();
  // Empty, or why there can be no TLS.
  std::string prepare_tls();
  void on_connected();
  void write();
  void read();
  void on_read(const boost::system::error_code& error, size_t size);
  // Why a connection that was made is over.
  [[nodiscard]] std::string reason_of(const boost::system::error_code& error) const;
  // Tells `closed`, soon, unless that has been done.
  void fail(std::string reason);
  void shut();
  [[nodiscard]] bool is_over() const { return failed_ || !events_; }

  boost::asio::io_context& context_;
  NameLookup& lookup_;
  const state::redis::Target target_;
  const TlsFiles files_;
  // Apart, so that close() by an event does not destroy the function that runs.
  std::shared_ptr<state::redis::StreamEvents> events_;

  std::vector<NameLookup::Endpoint> untried_;  // the last one is the next
  std::list<Attempt> attempts_;
  boost::asio::steady_timer attempt_delay_;
  std::string last_error_;

  std::optional<Socket> socket_;  // the one that was made
  std::optional<boost::asio::ssl::context> tls_context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;  // of socket_ and tls_context_
  bool connected_ = false;
  bool failed_ = false;
  bool has_heard_ = false;  // anything, once connected
  bool writing_now_ = false;
  std::string unsent_;
  std::string writing_;
  std::array<char, 16384> buffer_{};
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_CLIENT_STREAM_H_
