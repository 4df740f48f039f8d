#include "daemon/net/client_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <iterator>
#include <utility>

#include "protocol/base/secret.h"

namespace saslatch::net {
namespace {

using boost::system::error_code;
using Endpoint = NameLookup::Endpoint;
namespace asio = boost::asio;

// A peer that vanished without a word is noticed by its silence: after kKeepIdle + kKeepCount *
// kKeepInterval seconds where nothing is sent, after kUserTimeout where something is.
constexpr int kKeepIdle = 15;
constexpr int kKeepInterval = 5;
constexpr int kKeepCount = 3;
constexpr int kUserTimeoutMs = 10'000;

void set_option(int fd, int level, int name, int value) {
  (void)setsockopt(fd, level, name, &value, sizeof value);  // without it things only take longer
}

void tune(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdle);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepInterval);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
}

bool is_local(const Endpoint& endpoint) { return endpoint.protocol().family() == AF_UNIX; }

// SNI. OpenSSL's macro for it has a cast of C.
bool name_server(SSL* ssl, std::string host) {
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) == 1;
}

// For people.
std::string name_of(const Endpoint& endpoint) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const sockaddr* address = endpoint.data();
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  return "socket";
}

}  // namespace

ClientStream::ClientStream(asio::io_context& context, NameLookup& lookup,
                           state::redis::Target target, TlsFiles files,
                           state::redis::StreamEvents events)
    : context_(context),
      lookup_(lookup),
      target_(std::move(target)),
      files_(std::move(files)),
      events_(std::make_shared<state::redis::StreamEvents>(std::move(events))),
      attempt_delay_(context) {}

void ClientStream::start() {
  if (target_.host.empty()) {
    asio::local::stream_protocol::endpoint local;
    if (target_.path.size() >= sizeof(sockaddr_un::sun_path)) {
      return fail("the path of the socket is too long");
    }
    local.path(target_.path);
    return dial({local});
  }
  uint16_t port = 0;
  const char* last = target_.port.data() + target_.port.size();
  const auto [end, wrong] = std::from_chars(target_.port.data(), last, port);
  if (wrong != std::errc() || end != last) return fail("there is no port " + target_.port);
  error_code no_address;
  const auto address = asio::ip::make_address(target_.host, no_address);
  if (!no_address) return dial({asio::ip::tcp::endpoint(address, port)});
  const auto self = weak_from_this();
  lookup_.ask(target_.host, target_.port, [self](const NameLookup::Answer& answer) {
    const auto stream = self.lock();
    if (!stream || stream->is_over()) return;
    if (answer.endpoints.empty()) {
      return stream->fail("the name " + stream->target_.host +
                          " cannot be looked up: " + answer.error);
    }
    stream->dial(answer.endpoints);
  });
}

void ClientStream::dial(std::vector<Endpoint> endpoints) {
  untried_ = std::move(endpoints);
  std::reverse(untried_.begin(), untried_.end());
  dial_next();
}

void ClientStream::dial_next() {
  if (untried_.empty()) {
    if (attempts_.empty()) fail(last_error_);
    return;
  }
  const Endpoint endpoint = untried_.back();
  untried_.pop_back();
  const auto attempt = attempts_.insert(attempts_.end(), {Socket(context_), endpoint});
  error_code error;
  attempt->socket.open(endpoint.protocol(), error);
  if (error) {
    asio::post(context_, [self = shared_from_this(), attempt, error] {
      if (!self->is_over()) self->on_dialed(attempt, error);
    });
    return;
  }
  if (!is_local(endpoint)) tune(attempt->socket.native_handle());
  attempt->socket.async_connect(endpoint,
                                [self = shared_from_this(), attempt](const error_code& result) {
                                  // Else attempts_ is empty, and `attempt` dangles.
                                  if (!self->is_over() && !self->socket_) {
                                    self->on_dialed(attempt, result);
                                  }
                                });
  if (untried_.empty()) return;
  attempt_delay_.expires_after(kAttemptDelay);
  attempt_delay_.async_wait([self = shared_from_this()](const error_code& cancelled) {
    if (!cancelled && !self->is_over() && !self->socket_) self->dial_next();
  });
}

void ClientStream::on_dialed(std::list<Attempt>::iterator attempt, const error_code& error) {
  if (error) {
    last_error_ = is_local(attempt->endpoint) ? error.message()
                                              : name_of(attempt->endpoint) + ": " + error.message();
    attempts_.erase(attempt);
    return dial_next();
  }
  attempt_delay_.cancel();
  untried_.clear();
  socket_.emplace(std::move(attempt->socket));
  attempts_.clear();
  if (target_.tls) return begin_tls();
  on_connected();
}

std::string ClientStream::prepare_tls() {
  using asio::ssl::context;
  error_code error;
  const auto why = [&error](const std::string& what) { return what + ": " + error.message(); };
  try {
    tls_context_.emplace(context::tls_client);
  } catch (const boost::system::system_error& none) {
    return std::string("TLS: ") + none.what();
  }
  SSL_CTX* native = tls_context_->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  tls_context_->set_verify_mode(asio::ssl::verify_peer, error);
  if (files_.ca.empty()) {
    tls_context_->set_default_verify_paths(error);
    if (error) return why("the system's certificate authorities");
  } else {
    tls_context_->load_verify_file(files_.ca, error);
    if (error) return why(files_.ca);
  }
  if (!files_.cert.empty()) {
    tls_context_->use_certificate_chain_file(files_.cert, error);
    if (error) return why(files_.cert);
    // Without a passphrase: OpenSSL would ask for one on the terminal.
    tls_context_->set_password_callback([](size_t, context::password_purpose) { return ""; },
                                        error);
    tls_context_->use_private_key_file(files_.key, context::pem, error);
    if (error) return why(files_.key);
  }
  tls_.emplace(*socket_, *tls_context_);
  SSL* ssl = tls_->native_handle();
  error_code no_address;
  asio::ip::make_address(target_.host, no_address);
  if (no_address) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl, target_.host.c_str()) != 1 || !name_server(ssl, target_.host)) {
      return "no certificate can be good for the name " + target_.host;
    }
  } else if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), target_.host.c_str()) != 1) {
    return "no certificate can be good for the address " + target_.host;
  }
  return {};
}

void ClientStream::begin_tls() {
  if (std::string trouble = prepare_tls(); !trouble.empty()) return fail(std::move(trouble));
  tls_->async_handshake(
      asio::ssl::stream_base::client, [self = shared_from_this()](const error_code& error) {
        if (self->is_over()) return;
        if (!error) return self->on_connected();
        const long verdict = SSL_get_verify_result(self->tls_->native_handle());
        self->fail(verdict == X509_V_OK ? "TLS: " + error.message()
                                        : std::string("its certificate is not accepted: ") +
                                              X509_verify_cert_error_string(verdict));
      });
}

void ClientStream::on_connected() {
  connected_ = true;
  write();
  read();
  const auto events = events_;
  events->connected();
}

void ClientStream::send(std::string bytes) {
  if (is_over()) return;
  if (unsent_.size() + bytes.size() > kMostUnsent) return fail("it does not read what is sent");
  if (unsent_.empty()) {
    unsent_ = std::move(bytes);
  } else {
    unsent_ += bytes;
  }
  write();
}

// What comes meanwhile goes with the next write, in one piece.
void ClientStream::write() {
  if (!connected_ || writing_now_ || unsent_.empty()) return;
  writing_now_ = true;
  writing_.swap(unsent_);
  const auto done = [self = shared_from_this()](const error_code& error, size_t) {
    wipe(self->writing_.data(), self->writing_.size());  // a password may have been in it
    self->writing_.clear();
    self->writing_now_ = false;
    if (self->is_over()) return;
    if (error) return self->fail(self->reason_of(error));
    self->write();
  };
  if (tls_) {
    asio::async_write(*tls_, asio::buffer(writing_), done);
  } else {
    asio::async_write(*socket_, asio::buffer(writing_), done);
  }
}

void ClientStream::read() {
  const auto done = [self = shared_from_this()](const error_code& error, size_t size) {
    self->on_read(error, size);
  };
  if (tls_) {
    tls_->async_read_some(asio::buffer(buffer_), done);
  } else {
    socket_->async_read_some(asio::buffer(buffer_), done);
  }
}

void ClientStream::on_read(const error_code& error, size_t size) {
  if (is_over()) return;
  if (error) return fail(reason_of(error));
  has_heard_ = true;
  const auto events = events_;
  events->received({buffer_.data(), size});
  if (!is_over()) read();
}

std::string ClientStream::reason_of(const error_code& error) const {
  const bool ended = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
  std::string reason = ended ? "it closed the connection" : error.message();
  // In TLS 1.3 a server looks at our certificate when we are done, and what it says of it may be
  // lost with the connection.
  if (tls_ && !has_heard_) {
    reason += files_.cert.empty() ? " (it may demand a certificate of this host)"
                                  : " (it may not accept the certificate of this host)";
  }
  return reason;
}

void ClientStream::fail(std::string reason) {
  if (failed_) return;
  failed_ = true;
  shut();
  asio::post(context_, [self = shared_from_this(), reason = std::move(reason)] {
    if (const auto events = std::exchange(self->events_, nullptr)) events->closed(reason);
  });
}

void ClientStream::shut() {
  error_code ignored;
  attempt_delay_.cancel();
  untried_.clear();
  attempts_.clear();
  if (socket_) socket_->close(ignored);
}

void ClientStream::close() {
  events_.reset();
  shut();
}

}  // namespace saslatch::net
