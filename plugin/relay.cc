#include "plugin/relay.h"

#include <pthread.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace saslatch::plugin {
namespace {

// The only variable of the whole plugin that is not an object's: fork handlers take no argument.
std::atomic<uint64_t> forks_so_far = 0;

void count_fork() { forks_so_far.fetch_add(1); }

}  // namespace

Relay::Relay(std::string socket_path) : path_(std::move(socket_path)) {
  // glibc forgets the handler when the library is unloaded. Where it cannot be set, the pid is
  // left, which differs in every child but for one that got its ancestor's number again.
  static const int registered = ::pthread_atfork(nullptr, nullptr, count_fork);
  static_cast<void>(registered);
}

Relay::~Relay() {
  Member* const member = member_.load();
  if (member == nullptr) return;
  if (member->process == identity()) {
    delete member;
  } else {
    member->link.leave_to_parent();
  }
}

Relay::Identity Relay::identity() { return {::getpid(), forks_so_far.load()}; }

Link& Relay::link() {
  const Identity process = identity();
  Member* seen = member_.load();
  while (seen == nullptr || !(seen->process == process)) {
    // NOLINTNEXTLINE(modernize-make-unique): clang 14 makes no aggregate that way
    auto made = std::unique_ptr<Member>(new Member{process, Link(path_), seen});
    if (!member_.compare_exchange_strong(seen, made.get())) continue;
    if (seen != nullptr) seen->link.leave_to_parent();
    return made.release()->link;
  }
  return seen->link;
}

}  // namespace saslatch::plugin
