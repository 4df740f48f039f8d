#include "daemon/net/name_lookup.h"

#include <netdb.h>
#include <pthread.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <csignal>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace saslatch::net {
namespace {

// How soon a look-up that lacked memory is made again.
constexpr std::chrono::milliseconds kTryAgain(100);

NameLookup::Answer look_up(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  NameLookup::Answer answer;
  if (error != 0) {
    answer.error = error == EAI_SYSTEM ? std::generic_category().message(errno)
                                       : std::string(gai_strerror(error));
    return answer;
  }
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (answer.endpoints.size() == NameLookup::kMostEndpoints) break;
    answer.endpoints.emplace_back(at->ai_addr, at->ai_addrlen);
  }
  freeaddrinfo(found);
  if (answer.endpoints.empty()) answer.error = "it has no address";
  return answer;
}

}  // namespace

// Outlives the NameLookup while a thread is at work.
struct NameLookup::Shared {
  std::mutex mutex;
  boost::asio::io_context* context;  // null: nobody waits any more. Under the mutex
  std::map<std::pair<std::string, std::string>, std::vector<Taker>> waiting;  // context's thread
};

NameLookup::NameLookup(boost::asio::io_context& context) : shared_(std::make_shared<Shared>()) {
  shared_->context = &context;
}

NameLookup::~NameLookup() {
  const std::lock_guard lock(shared_->mutex);
  shared_->context = nullptr;
}

void NameLookup::ask(const std::string& host, const std::string& port, Taker taker) {
  const std::pair key(host, port);
  const auto refuse = [&](const char* why) {
    boost::asio::post(*shared_->context, [taker = std::move(taker), why] { taker({{}, why}); });
  };
  if (const auto found = shared_->waiting.find(key); found != shared_->waiting.end()) {
    found->second.push_back(std::move(taker));
    return;
  }
  if (shared_->waiting.size() >= kMostLookups) return refuse("too many names are looked up");
  const auto answered = [shared = shared_, key](const Answer& answer) {
    const auto takers = shared->waiting.extract(key);
    for (const Taker& take : takers.mapped()) take(answer);
  };
  const auto try_once = [shared = shared_, key, answered] {
    Answer answer = look_up(key.first, key.second);
    const std::lock_guard lock(shared->mutex);
    if (shared->context == nullptr) return;
    boost::asio::post(*shared->context,
                      [answered, answer = std::move(answer)] { answered(answer); });
  };
  const auto work = [try_once] {
    for (;;) {
      try {
        return try_once();
      } catch (const std::bad_alloc&) {
        std::this_thread::sleep_for(kTryAgain);  // somebody waits for it, and nobody else asks
      }
    }
  };
  sigset_t all, before;  // signals belong to the main thread
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    shared_->waiting[key].push_back(taker);
    std::thread(work).detach();
  } catch (const std::exception&) {
    shared_->waiting.erase(key);
    refuse("no thread is left to look the name up");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace saslatch::net
