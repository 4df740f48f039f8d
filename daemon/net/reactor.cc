#include "daemon/net/reactor.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <new>
#include <utility>

namespace saslatch::net {
namespace {

// What the user of a connection holds; the connection itself lives as long as its handlers.
class StreamHandle final : public state::redis::Stream {
 public:
  explicit StreamHandle(std::shared_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
  ~StreamHandle() override { stream_->close(); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

  void send(std::string bytes) override { stream_->send(std::move(bytes)); }

 private:
  std::shared_ptr<ClientStream> stream_;
};

struct Timer {
  boost::asio::steady_timer timer;
  std::function<void()> then;
};

}  // namespace

AsioReactor::AsioReactor(TlsFiles tls)
    : tls_(std::move(tls)),
      context_(1),
      work_(boost::asio::make_work_guard(context_)),
      lookup_(context_) {}

AsioReactor::~AsioReactor() { stop(); }

void AsioReactor::start() {
  thread_ = std::thread([this] {
    sigset_t all;  // signals belong to the main thread
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (;;) {
      try {
        context_.run();
        return;
      } catch (const std::bad_alloc&) {
        // The task is lost; who waits for it does so no longer than his own patience.
      }
    }
  });
}

void AsioReactor::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<state::redis::Stream> AsioReactor::connect(const state::redis::Target& target,
                                                           state::redis::StreamEvents events) {
  auto stream = std::make_shared<ClientStream>(context_, lookup_, target, tls_, std::move(events));
  stream->start();
  return std::make_unique<StreamHandle>(std::move(stream));
}

std::shared_ptr<void> AsioReactor::call_after(std::chrono::milliseconds delay,
                                              std::function<void()> then) {
  auto timer = std::make_shared<Timer>(Timer{boost::asio::steady_timer(context_), std::move(then)});
  timer->timer.expires_after(delay);
  timer->timer.async_wait(
      [waiting = std::weak_ptr<Timer>(timer)](const boost::system::error_code& error) {
        const auto due = waiting.lock();
        if (error || !due) return;
        const auto task = std::move(due->then);
        task();
      });
  return timer;
}

void AsioReactor::post(std::function<void()> task) { boost::asio::post(context_, std::move(task)); }

}  // namespace saslatch::net
