#ifndef SASLATCH_PLUGIN_LINK_H_
#define SASLATCH_PLUGIN_LINK_H_

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "plugin/socket.h"
#include "protocol/dovecot/auth_client.h"

namespace saslatch::plugin {

// There is no answer: no daemon, a lost connection, or too late. `why` is for the log.
struct Unavailable {
  std::string why;
  // The whole line had left this process, so that the daemon may have decided.
  bool was_sent = false;
};

using Answer = std::variant<dovecot::ChallengeReceived, dovecot::OkReceived, dovecot::FailReceived,
                            Unavailable>;

// One exchange with the daemon: the connection it was begun on, and its id there.
struct ExchangeId {
  uint64_t connection = 0;
  uint32_t id = 0;
};

// A process's one connection to the daemon, shared by all its threads.
//
// There is no thread behind it. Of the threads that wait for an answer one reads the socket for all
// of them; when it leaves, another takes over. The lock is never held while anybody waits for the
// socket. A lost connection is made anew by whoever next needs it.
//
// Thread-safe. Belongs to the process that made it: after fork() the child must not use it, not
// even destroy it, for the lock may be held by a thread that exists in the parent only. All that a
// child may call is leave_to_parent().
class Link {
 public:
  explicit Link(std::string socket_path) : path_(std::move(socket_path)) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Begins an exchange and waits for the first answer, `deadline` at the longest, connecting first
  // if there is no connection. Where that was lost before an answer came, it is tried once more,
  // unless the daemon may have seen a credential in it: no password is verified twice.
  Answer begin(const dovecot::AuthParameters& parameters, Deadline deadline, ExchangeId& exchange);

  // Answers the last challenge of `exchange`, and waits likewise. Never tried again.
  Answer respond(const ExchangeId& exchange, std::string_view response, Deadline deadline);

  // Gives the exchange up; never waits. Without effect on one that is over or lost.
  void cancel(const ExchangeId& exchange);

  // In a forked child: closes its copy of the descriptor and nothing else.
  void leave_to_parent() { note_.close_copy(); }

 private:
  using Lock = std::unique_lock<std::mutex>;

  // Someone who waits for the answer to a line. `end` is where it ends in the stream of all bytes
  // ever written.
  struct Waiter {
    uint64_t end = 0;
    std::optional<Answer> answer;
  };

  // All of these are called with the lock held, and give it up only while they wait.
  std::optional<Unavailable> establish(Lock& lock, Deadline deadline);
  std::optional<Unavailable> connect(Lock& lock, Deadline deadline);
  Answer converse(Lock& lock, uint32_t id, Deadline deadline);
  void flush(Lock& lock, uint64_t end, Deadline deadline);
  void write_some();
  void read_some();
  void take_events();
  void drop(const std::string& why);
  void queue_output();
  // Lets the calling thread read for all until `done` holds; false when `deadline` passed first.
  template <typename Done>
  bool wait(Lock& lock, Deadline deadline, Done done);

  const std::string path_;
  DescriptorNote note_;

  std::mutex mutex_;
  std::condition_variable changed_;  // an answer, a role given up, a connection won or lost
  bool is_connecting_ = false;       // some thread makes the connection
  bool is_reading_ = false;          // some thread waits for the socket to be readable
  uint64_t connection_ = 0;          // counts connections
  std::shared_ptr<Socket> socket_;   // null while there is none; then client_ is absent, too
  std::optional<dovecot::AuthClient> client_;
  dovecot::WipedBuffer output_;  // not yet taken by the kernel
  uint64_t written_ = 0;         // bytes that it has taken, of all connections
  std::map<uint32_t, Waiter*> waiters_;
};

}  // namespace saslatch::plugin

#endif  // SASLATCH_PLUGIN_LINK_H_
