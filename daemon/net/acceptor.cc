#include "daemon/net/acceptor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "daemon/net/event_loop.h"

namespace saslatch::net {
namespace {

// Takes turns with the other work of the loop when a whole mail server reconnects at once.
constexpr int kAcceptsInARow = 16;
// How soon to look again whether a descriptor became free.
constexpr std::chrono::milliseconds kRetry(100);
// Descriptors that no client gets: without them a worker could not open its database (three files),
// nor a reload its passwd-file, and who is connected would not be served either.
constexpr rlim_t kSpareDescriptors = 16;

// Far more than the daemon has besides its clients' connections.
constexpr rlim_t kOtherDescriptors = 256;

// Whether the next descriptor would be a spare one. The kernel gives out the lowest free number,
// which is asked for only when it may matter.
bool only_spares_left(int fd, size_t connections, rlim_t limit) {
  if (connections + kOtherDescriptors < limit) return false;
  const FileDescriptor next(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  return !next || static_cast<rlim_t>(next.get()) + kSpareDescriptors >= limit;
}

// Asked for anew each time clients come: an administrator may change it with prlimit(1).
rlim_t descriptor_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

}  // namespace

std::optional<Peer> peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return Peer{peer.uid, peer.gid};
}

Acceptor::Acceptor(EventLoop& loop, Log& log, std::string listener, SessionFactory make,
                   std::shared_ptr<std::atomic<bool>> paused)
    : loop_(loop),
      log_(log),
      listener_(std::move(listener)),
      make_(std::move(make)),
      fd_(loop.context()),
      retry_(loop.context()),
      paused_(std::move(paused)) {}

void Acceptor::start(FileDescriptor fd) {
  fd_.assign(fd.release());
  wait();
}

void Acceptor::stop() {
  try {
    const rlim_t limit = descriptor_limit();
    for (int i = 0; i < kBacklog && accept_one(limit) == More::kWaiting; ++i) {
    }
  } catch (const std::bad_alloc&) {
    // The others in the queue find nobody.
  }
  stopped_ = true;
  boost::system::error_code ignored;
  fd_.close(ignored);
  retry_.cancel();
}

void Acceptor::wait() {
  fd_.async_wait(
      Descriptor::wait_read,
      InMemory(wait_memory_, [self = shared_from_this()](const boost::system::error_code& error) {
        if (!error && !self->stopped_) self->on_readable();
      }));
}

void Acceptor::on_readable() {
  try {
    accept_some();
  } catch (const std::bad_alloc&) {
    // Told of as any lack of memory, not as a lack of descriptors.
    retry_later();
  }
}

void Acceptor::accept_some() {
  const rlim_t limit = descriptor_limit();
  for (int i = 0; i < kAcceptsInARow; ++i) {
    switch (accept_one(limit)) {
      case More::kWaiting:
        continue;
      case More::kNone:
        return wait();
      case More::kFailed:
        return pause(errno);
    }
  }
  wait();
}

Acceptor::More Acceptor::accept_one(rlim_t descriptors) {
  if (only_spares_left(fd_.native_handle(), loop_.all_connections(), descriptors)) {
    errno = EMFILE;
    return More::kFailed;
  }
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  FileDescriptor client(accept4(fd_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                                SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client) {
    if (errno == EINTR || errno == ECONNABORTED) return More::kWaiting;
    return errno == EAGAIN ? More::kNone : More::kFailed;
  }
  if (paused_->load(std::memory_order_relaxed) && paused_->exchange(false)) {
    log_.info("accept-resumed", "accepting connections again", {{"listener", listener_}});
  }
  loop_.adopt(std::move(client), peer.ss_family, make_);
  return More::kWaiting;
}

void Acceptor::pause(int reason) {
  retry_later();
  if (paused_->exchange(true)) return;
  log_.error("accept-paused",
             "cannot accept connections; clients wait until a descriptor is free (raise "
             "LimitNOFILE= or ulimit -n)",
             {{"listener", listener_}, {"error", std::strerror(reason)}});
}

void Acceptor::retry_later() {
  try {
    retry_.expires_after(kRetry);
    retry_.async_wait(InMemory(retry_memory_,
                               [self = shared_from_this()](const boost::system::error_code& error) {
                                 if (!error && !self->stopped_) self->on_readable();
                               }));
  } catch (const std::bad_alloc&) {
    // The loop's queue of timers cannot grow. Whoever waits for us wakes us without a pause then.
    wait();
  }
}

}  // namespace saslatch::net
