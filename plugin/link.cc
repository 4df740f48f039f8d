#include "plugin/link.h"

#include <unistd.h>

#include <array>
#include <utility>

namespace saslatch::plugin {
namespace {

// Answers are lines of some hundred bytes.
constexpr size_t kReadSize = 4096;

// Sets a flag for as long as it lives and tells everybody when it is given up. Both ends with the
// lock held.
class Role {
 public:
  Role(bool& flag, std::condition_variable& changed) : flag_(flag), changed_(changed) {
    flag_ = true;
  }
  ~Role() {
    flag_ = false;
    changed_.notify_all();
  }
  Role(const Role&) = delete;
  Role& operator=(const Role&) = delete;

 private:
  bool& flag_;
  std::condition_variable& changed_;
};

}  // namespace

Answer Link::begin(const dovecot::AuthParameters& parameters, Deadline deadline,
                   ExchangeId& exchange) {
  Lock lock(mutex_);
  for (bool is_repeated = false;; is_repeated = true) {
    if (auto trouble = establish(lock, deadline)) return std::move(*trouble);
    const auto id = client_->authenticate(parameters);
    if (!id) return Unavailable{id.error().message};
    exchange = {connection_, *id};
    Answer answer = converse(lock, *id, deadline);
    const auto* const lost = std::get_if<Unavailable>(&answer);
    if (lost == nullptr || is_repeated || Clock::now() >= deadline) return answer;
    if (lost->was_sent && parameters.initial_response) return answer;
  }
}

Answer Link::respond(const ExchangeId& exchange, std::string_view response, Deadline deadline) {
  Lock lock(mutex_);
  if (!client_ || connection_ != exchange.connection) {
    return Unavailable{"the connection to " + path_ + " was lost between two messages of a login"};
  }
  if (const auto queued = client_->respond(exchange.id, response); !queued) {
    return Unavailable{queued.error().message};
  }
  return converse(lock, exchange.id, deadline);
}

void Link::cancel(const ExchangeId& exchange) {
  const Lock lock(mutex_);
  if (!client_ || connection_ != exchange.connection) return;
  client_->cancel(exchange.id);
  queue_output();
  write_some();
}

std::optional<Unavailable> Link::establish(Lock& lock, Deadline deadline) {
  if (!wait(lock, deadline, [this] { return !is_connecting_; })) {
    return Unavailable{"no connection to " + path_ + " in time"};
  }
  return socket_ ? std::nullopt : connect(lock, deadline);
}

std::optional<Unavailable> Link::connect(Lock& lock, Deadline deadline) {
  const Role role(is_connecting_, changed_);
  lock.unlock();
  auto socket = Socket::connect(path_, deadline);
  lock.lock();
  if (!socket) return Unavailable{socket.error().message};
  client_.emplace(static_cast<uint32_t>(::getpid()));
  socket_ = std::move(*socket);
  note_.set(*socket_);
  ++connection_;
  queue_output();
  flush(lock, written_ + output_.size(), deadline);
  const auto is_settled = [this] { return !client_ || client_->is_ready(); };
  if (!wait(lock, deadline, is_settled)) drop("no handshake came from " + path_ + " in time");
  if (socket_) return std::nullopt;
  return Unavailable{path_ + " accepted a connection and gave no handshake of an auth server"};
}

Answer Link::converse(Lock& lock, uint32_t id, Deadline deadline) {
  queue_output();
  Waiter waiter{written_ + output_.size(), std::nullopt};
  waiters_[id] = &waiter;
  flush(lock, waiter.end, deadline);
  const bool is_answered = wait(lock, deadline, [&] { return waiter.answer.has_value(); });
  if (is_answered) return std::move(*waiter.answer);
  waiters_.erase(id);
  client_->cancel(id);
  queue_output();
  write_some();
  return Unavailable{"no answer from " + path_ + " in time", true};
}

template <typename Done>
bool Link::wait(Lock& lock, Deadline deadline, Done done) {
  while (!done()) {
    if (Clock::now() >= deadline) return false;
    if (is_reading_ || !socket_) {
      changed_.wait_until(lock, deadline);
      continue;
    }
    const auto socket = socket_;  // ours: drop() may let go of it meanwhile
    {
      const Role role(is_reading_, changed_);
      lock.unlock();
      socket->wait_readable(deadline);
      lock.lock();
    }
    if (socket == socket_) read_some();
  }
  return true;
}

void Link::flush(Lock& lock, uint64_t end, Deadline deadline) {
  const auto socket = socket_;
  while (socket == socket_ && written_ < end) {
    write_some();
    if (socket != socket_ || written_ >= end) return;
    // Half a line cannot be taken back, so the connection is of no use to anybody.
    if (Clock::now() >= deadline) return drop(path_ + " does not read what is written");
    lock.unlock();
    socket->wait_writable(deadline);
    lock.lock();
  }
}

void Link::write_some() {
  while (socket_ && output_.size() != 0) {
    const auto progress = socket_->send(output_.view());
    if (progress.is_over) return drop("the connection to " + path_ + " was lost");
    if (progress.bytes == 0) return;
    output_.consume(progress.bytes);
    written_ += progress.bytes;
  }
}

void Link::read_some() {
  std::array<char, kReadSize> buffer;
  while (socket_) {
    const auto progress = socket_->receive(buffer.data(), buffer.size());
    if (progress.bytes != 0) {
      client_->receive({buffer.data(), progress.bytes});
      take_events();
    }
    if (progress.is_over) return drop(path_ + " closed the connection");
    if (progress.bytes < buffer.size()) return;
  }
}

void Link::take_events() {
  const auto answer = [this](uint32_t id, Answer event) {
    const auto waiter = waiters_.find(id);
    if (waiter == waiters_.end()) return;
    waiter->second->answer = std::move(event);
    waiters_.erase(waiter);
  };
  while (auto event = client_->next()) {
    if (const auto* error = std::get_if<dovecot::ProtocolError>(&*event)) {
      return drop(path_ + " broke the auth protocol: " + error->reason);
    }
    if (auto* challenge = std::get_if<dovecot::ChallengeReceived>(&*event)) {
      answer(challenge->id, std::move(*challenge));
    } else if (auto* ok = std::get_if<dovecot::OkReceived>(&*event)) {
      answer(ok->id, std::move(*ok));
    } else if (auto* fail = std::get_if<dovecot::FailReceived>(&*event)) {
      answer(fail->id, std::move(*fail));
    }
  }
  changed_.notify_all();
}

void Link::drop(const std::string& why) {
  if (!socket_) return;
  for (const auto& [id, waiter] : waiters_) {
    waiter->answer = Unavailable{why, waiter->end <= written_};
  }
  waiters_.clear();
  socket_->shut_down();  // wakes who waits for it
  note_.clear();
  socket_.reset();
  client_.reset();
  output_.consume(output_.size());
  changed_.notify_all();
}

void Link::queue_output() { output_.append(client_->take_output().reveal()); }

}  // namespace saslatch::plugin
