#include "daemon/state/redis/client.h"

#include <utility>

#include "daemon/state/redis/scripts.h"

namespace saslatch::state::redis {

Client::Client(Reactor& reactor, Target target, const Login& login, Role role,
               std::chrono::milliseconds limit, Events events)
    : reactor_(reactor), target_(std::move(target)), events_(std::move(events)) {
  stream_ = reactor_.connect(target_, {[] {}, [this](std::string_view bytes) { received(bytes); },
                                       [this](std::string reason) { fail(std::move(reason)); }});
  limit_ = reactor_.call_after(limit, [this] { fail("no answer in time"); });
  greet(login, role);
}

Client::~Client() { *alive_ = false; }

void Client::greet(const Login& login, Role role) {
  if (role != Role::kSentinel && !login.password.empty()) {
    Command command{"AUTH"};
    if (!login.user.empty()) command.push_back(login.user);
    command.emplace_back(login.password.reveal());
    expect(command, "the server refuses user or password");
    wipe(command.back());
  }
  if (role == Role::kMaster) {
    if (login.database != 0)
      expect({"SELECT", std::to_string(login.database)}, "the server refuses the database");
    call({"ROLE"}, [this](const Reply& reply) {
      if (reply.kind == Reply::Kind::kError) return fail("the server refuses ROLE: " + reply.text);
      if (reply.kind == Reply::Kind::kArray && !reply.items.empty() &&
          reply.items[0].text != "master")
        fail("the server is a replica");
    });
    for (const std::string_view script : {kReserveScript, kSettleScript, kLockScript}) {
      call({"SCRIPT", "LOAD", std::string(script)}, [this](const Reply& reply) {
        if (reply.kind == Reply::Kind::kError)
          return fail("the server takes no scripts: " + reply.text);
        digests_.push_back(reply.text);
      });
    }
  }
  call({"PING"}, [this](const Reply& reply) {
    if (reply.kind == Reply::Kind::kError) return fail("the server refuses: " + reply.text);
    if (reply.is_error()) return;
    limit_.reset();
    const auto ready = events_.ready;
    ready();
  });
}

// A command whose refusal ends the connection.
void Client::expect(const Command& command, const char* what) {
  call(command, [this, what](const Reply& reply) {
    if (reply.kind == Reply::Kind::kError) fail(std::string(what) + ": " + reply.text);
  });
}

void Client::call(const Command& command, Callback then) {
  if (!stream_) {
    reactor_.post([then = std::move(then)] { then(Reply{Reply::Kind::kLost, 0, {}, {}}); });
    return;
  }
  waiting_.push_back({std::move(then), reactor_.now()});
  std::string bytes;
  append_command(command, bytes);
  stream_->send(std::move(bytes));
}

void Client::received(std::string_view bytes) {
  const auto alive = alive_;
  reader_.feed(bytes);
  while (*alive && stream_) {
    const auto reply = reader_.next();
    if (reader_.is_broken() || (reply && waiting_.empty()))
      return fail("the server does not speak Redis' protocol, or says too much at once");
    if (!reply) return;
    const Callback then = std::move(waiting_.front().then);
    waiting_.pop_front();
    then(*reply);
  }
}

void Client::fail(std::string reason) {
  if (!stream_) return;
  const auto alive = alive_;
  stream_.reset();
  limit_.reset();
  const auto left = std::exchange(waiting_, {});
  for (const Waiting& waiting : left) {
    waiting.then(Reply{Reply::Kind::kLost, 0, {}, {}});
    if (!*alive) return;
  }
  const auto lost = events_.lost;
  lost(std::move(reason));
}

}  // namespace saslatch::state::redis
