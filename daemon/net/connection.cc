#include "daemon/net/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <new>
#include <utility>

#include "daemon/net/event_loop.h"
#include "protocol/base/secret.h"

namespace saslatch::net {
namespace {

// A client that leaves more answers than this unread is not read from until it has taken them:
// whoever fills our memory has to let us fill his first.
constexpr size_t kMaxPending = size_t{16} * 1024;

}  // namespace

Connection::Connection(EventLoop& loop, Socket socket, uint64_t number)
    : loop_(loop), socket_(std::move(socket)), timer_(loop.context()), number_(number) {}

template <typename Work>
void Connection::guarded(const Work& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    give_up();
  }
}

void Connection::give_up() {
  loop_.note_out_of_memory();
  close();
}

void Connection::start(std::unique_ptr<Session> session) {
  session_ = std::move(session);
  guarded([this] { settle(); });
}

void Connection::drain() {
  if (!is_open()) return;
  guarded([this] {
    session_->drain(loop_.now());
    settle();
  });
}

template <typename Tell>
void Connection::post(Tell tell) {
  boost::asio::post(loop_.context(), [self = shared_from_this(), tell = std::move(tell)]() mutable {
    if (!self->is_open()) return;
    self->guarded([&] {
      tell(*self->session_, self->loop_.now());
      self->settle();
    });
  });
}

void Connection::deliver(uint64_t key, Answer answer) {
  post([key, answer = std::move(answer)](Session& session, Now now) mutable {
    session.on_answer(key, std::move(answer), now);
  });
}

void Connection::release(uint64_t key) {
  post([key](Session& session, Now now) { session.on_release(key, now); });
}

void Connection::wake(uint64_t key) {
  post([key](Session& session, Now now) { session.on_wake(key, now); });
}

void Connection::run(std::function<void(Now)> task) {
  post([task = std::move(task)](Session&, Now now) { task(now); });
}

void Connection::read() {
  if (reading_ || input_ended_ || pending_.size() > kMaxPending) return;
  reading_ = true;
  socket_.async_read_some(
      boost::asio::buffer(input_),
      [self = shared_from_this()](const boost::system::error_code& error, size_t size) {
        self->reading_ = false;
        if (self->is_open()) self->guarded([&] { self->on_read(error, size); });
      });
}

void Connection::on_read(const boost::system::error_code& error, size_t size) {
  if (!error) {
    session_->receive({input_.data(), size}, loop_.now());
    wipe(input_.data(), size);  // before the next read begins to fill it
  } else if (error == boost::asio::error::eof) {
    input_ended_ = true;
    if (has_hung_up()) return close();
    session_->end_of_input(loop_.now());
  } else {
    return close();
  }
  settle();
}

bool Connection::has_hung_up() {
  // After a mere shutdown of its writing side the client can still read; nobody is there after a
  // close, and then no answer needs to be kept for it.
  pollfd poll_for{socket_.native_handle(), 0, 0};
  return poll(&poll_for, 1, 0) == 1 && (poll_for.revents & (POLLHUP | POLLERR)) != 0;
}

void Connection::settle() {
  std::string output = session_->take_output();
  if (pending_.empty()) {
    pending_ = std::move(output);
  } else {
    pending_ += output;
  }
  write_pending();
  if (!is_open()) return;
  if (pending_.empty() && session_->is_over()) return close();
  set_timer();
  read();
}

void Connection::write_pending() {
  while (!pending_.empty() && !writing_) {
    const ssize_t sent = send(socket_.native_handle(), pending_.data(), pending_.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      pending_.erase(0, static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      wait_writable();
    } else if (errno != EINTR) {
      return close();
    }
  }
}

void Connection::wait_writable() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->writing_ = false;
                       if (!error && self->is_open()) self->guarded([&] { self->settle(); });
                     });
}

void Connection::set_timer() {
  const std::optional<Mono> wanted = session_->next_deadline();
  if (wanted == timer_at_) return;
  timer_at_ = wanted;
  if (!wanted) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*wanted);  // cancels an earlier wait
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || !self->is_open()) return;
    self->timer_at_.reset();
    self->guarded([&] {
      self->session_->on_deadline(self->loop_.now());
      self->settle();
    });
  });
}

void Connection::close() {
  if (!open_.exchange(false)) return;
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  session_.reset();
  loop_.forget(number_);
}

}  // namespace saslatch::net
