#include "tests/bench/load.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <vector>

#include "tests/bench/conversation.h"
#include "tests/bench/cpu_time.h"
#include "tests/bench/descriptor.h"

namespace saslatch::bench {
namespace {

using Clock = std::chrono::steady_clock;

// So many connections lost in a row without one answer in between, and the run ends: the server is
// gone, or takes nothing of what we send.
constexpr unsigned kMaxLostInARow = 100;

// For what is still owed when the time is up.
constexpr std::chrono::seconds kLeave(1);

struct InFlight {
  uint32_t id;
  Clock::time_point begun;
  bool wrong;
};

struct Connection {
  Descriptor fd;
  std::unique_ptr<Conversation> conversation;
  Clock::time_point connected;  // when connect() was called
  bool waits_to_write = false;
  std::deque<InFlight> in_flight;  // the oldest first
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), connections_(options.connections) {}

  Result<Report> run() {
    epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    if (!options_.reconnect) {
      for (Connection& connection : connections_) open(connection);
      while (error_.empty() && !all_ready()) wait();
    }
    if (error_.empty()) measure();
    if (!error_.empty()) return failure(error_);
    if (report_.answered() == 0) {
      return failure("no login was answered" +
                     (report_.first_loss.empty() ? "" : ": " + report_.first_loss));
    }
    return std::move(report_);
  }

 private:
  void measure() {
    measuring_ = true;
    const double server_before = cpu_seconds_of(options_.server_pids);
    const double own_before = own_cpu_seconds();
    begun_ = Clock::now();
    for (Connection& connection : connections_) {
      if (options_.reconnect) {
        reopen(connection);
      } else {
        begin_logins(connection);
      }
    }
    while (error_.empty() && !is_over()) wait();
    report_.wall = Clock::now() - begun_;
    report_.server_cpu_seconds = cpu_seconds_of(options_.server_pids) - server_before;
    report_.own_cpu_seconds = own_cpu_seconds() - own_before;
    take_leave();
  }

  // Hears the answers that are still to come, and counts them not: who hangs up on requests costs
  // some servers more than a login, and the next run would pay. Dovecot logs each of them, and
  // stands still for seconds when its log has had enough.
  void take_leave() {
    leaving_ = true;
    const auto until = Clock::now() + kLeave;
    while (error_.empty() && awaits_answers() && Clock::now() < until) wait();
  }

  bool awaits_answers() const {
    return std::any_of(connections_.begin(), connections_.end(),
                       [](const Connection& connection) { return !connection.in_flight.empty(); });
  }

  bool is_over() const {
    if (options_.count > 0) return report_.answered() + report_.lost >= options_.count;
    return Clock::now() - begun_ >= options_.duration;
  }

  bool all_ready() const {
    return std::all_of(connections_.begin(), connections_.end(), [](const Connection& connection) {
      return connection.fd.get() >= 0 && connection.conversation->is_ready();
    });
  }

  // Moves what can be moved; returns at least every 100 ms, to look at the clock.
  void wait() {
    epoll_event events[256];
    const int ready = epoll_wait(epoll_.get(), events, 256, 100);
    const auto now = Clock::now();
    for (int i = 0; i < ready && error_.empty(); ++i) {
      serve(connections_[events[i].data.u64], events[i].events);
    }
    if (now - last_timeout_check_ < std::chrono::milliseconds(100)) return;
    last_timeout_check_ = now;
    for (Connection& connection : connections_) {
      if (connection.fd.get() < 0) continue;
      const bool in_flight = !connection.in_flight.empty();
      if (!in_flight && connection.conversation->is_ready()) continue;
      const auto since = in_flight ? connection.in_flight.front().begun : connection.connected;
      if (now - since > options_.timeout) lose(connection, "no answer in time");
    }
  }

  void open(Connection& connection) {
    connection.connected = Clock::now();
    connection.waits_to_write = false;
    connection.conversation = make_conversation(options_);
    auto fd = connect_to(options_);
    if (!fd) {
      error_ = fd.error().message;
      return;
    }
    connection.fd = std::move(*fd);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<uint64_t>(&connection - connections_.data());
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &event);
    write_some(connection);
  }

  // A connection for one login, if there is one left to begin.
  void reopen(Connection& connection) {
    connection.fd = Descriptor();
    if (!may_begin()) return;
    open(connection);
    if (error_.empty() && connection.conversation->is_ready()) begin_logins(connection);
  }

  void serve(Connection& connection, uint32_t events) {
    if (events & EPOLLOUT) write_some(connection);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || connection.fd.get() < 0) return;
    char buffer[65536];
    const ssize_t size = read(connection.fd.get(), buffer, sizeof buffer);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return lose(connection, "the server closed the connection");
    answers_.clear();
    const auto taken =
        connection.conversation->receive({buffer, static_cast<size_t>(size)}, answers_);
    const bool login_done = !answers_.empty();
    const auto now = Clock::now();
    for (const Answer& answer : answers_) record(connection, answer, now);
    if (!taken) return lose(connection, taken.error().message);
    if (login_done) lost_in_a_row_ = 0;
    if (login_done && options_.reconnect) return reopen(connection);
    if (measuring_) begin_logins(connection);
    write_some(connection);
  }

  void record(Connection& connection, const Answer& answer, Clock::time_point now) {
    const auto found = std::find_if(connection.in_flight.begin(), connection.in_flight.end(),
                                    [&answer](const InFlight& one) { return one.id == answer.id; });
    if (found == connection.in_flight.end()) return;
    if (leaving_) {
      connection.in_flight.erase(found);
      return;
    }
    ++(answer.accepted ? report_.ok : report_.fail);
    if (answer.accepted == found->wrong) ++report_.unexpected;
    report_.latencies.add(now - found->begun);
    connection.in_flight.erase(found);
  }

  bool may_begin() const {
    return !leaving_ && (options_.count == 0 || next_login_ < options_.count);
  }

  void begin_logins(Connection& connection) {
    if (!connection.conversation->is_ready()) return;
    while (connection.in_flight.size() < options_.outstanding && may_begin()) {
      const uint64_t index = next_login_++;
      const User& user = options_.users[index % options_.users.size()];
      const bool wrong = is_wrong(index, options_.wrong_percent);
      const auto begun = options_.reconnect ? connection.connected : Clock::now();
      const auto id = connection.conversation->begin(
          {user.name, wrong ? "wrong-" + std::to_string(index) : user.password});
      if (!id) {
        error_ = "user " + user.name + ": " + id.error().message;
        return;
      }
      connection.in_flight.push_back({*id, begun, wrong});
      if (options_.reconnect) break;
    }
    write_some(connection);
  }

  void write_some(Connection& connection) {
    if (connection.fd.get() < 0) return;
    std::string& output = connection.conversation->output();
    if (!output.empty()) {
      const ssize_t size = send(connection.fd.get(), output.data(), output.size(), MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN && errno != EINTR) return;  // the read will tell the end
      output.erase(0, static_cast<size_t>(std::max<ssize_t>(size, 0)));
    }
    if (output.empty() == !connection.waits_to_write) return;
    connection.waits_to_write = !output.empty();
    epoll_event event{};
    event.events = connection.waits_to_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u64 = static_cast<uint64_t>(&connection - connections_.data());
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), &event);
  }

  void lose(Connection& connection, const std::string& why) {
    if (leaving_) {
      connection.in_flight.clear();
      connection.fd = Descriptor();
      return;
    }
    report_.lost += connection.in_flight.size();
    if (options_.reconnect && connection.in_flight.empty()) {
      ++next_login_;  // the one that this connection was made for
      ++report_.lost;
    }
    if (report_.first_loss.empty()) report_.first_loss = why;
    connection.in_flight.clear();
    connection.fd = Descriptor();
    if (++lost_in_a_row_ > kMaxLostInARow) {
      error_ = std::to_string(kMaxLostInARow) + " connections lost in a row: " + why;
    } else if (options_.reconnect) {
      reopen(connection);
    } else {
      open(connection);
    }
  }

  const Options& options_;
  Descriptor epoll_;
  std::vector<Connection> connections_;
  std::vector<Answer> answers_;
  Report report_;
  bool measuring_ = false;
  bool leaving_ = false;
  Clock::time_point begun_;
  Clock::time_point last_timeout_check_;
  uint64_t next_login_ = 0;
  unsigned lost_in_a_row_ = 0;
  std::string error_;  // ends the run
};

}  // namespace

Result<Report> run_load(const Options& options) { return Load(options).run(); }

bool is_wrong(uint64_t index, unsigned percent) {
  return (index + 1) * percent / 100 != index * percent / 100;
}

}  // namespace saslatch::bench
