// The connections: finding a server, losing it, telling whether it is quick enough. What is asked
// and told is in shared_asks.cc.
#include "daemon/state/redis/shared_state.h"

#include <algorithm>
#include <utility>

namespace saslatch::state::redis {
namespace {

// To connect, log in and load the scripts.
constexpr Milliseconds kConnectLimit(3000);
// A server that says nothing for so long is taken for gone: the news are read at least every
// second.
constexpr Milliseconds kSilence(3000);
constexpr Milliseconds kWatchEvery(1000);
// Between attempts to connect: doubled with each failure, and up to half of it more by chance.
constexpr Milliseconds kFirstRetry(100);
constexpr Milliseconds kLastRetry(5000);
constexpr unsigned kDoublings = 6;
constexpr Milliseconds kProbeEvery(200);
constexpr std::chrono::hours kCleanEvery(1);

}  // namespace

std::string Target::to_string() const {
  if (host.empty()) return path;
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

SharedState::SharedState(SharedOptions options, Reactor& reactor, policy::Engine& engine,
                         Clock clock, AuditSink& audit, Metrics& metrics, Log& log, Random& random)
    : options_(std::move(options)),
      reactor_(reactor),
      engine_(engine),
      clock_(std::move(clock)),
      audit_(audit),
      metrics_(metrics),
      log_(log),
      keys_(options_.prefix),
      replica_(engine, log, clock_, server_clock_, keys_, to_hex(random.below(UINT64_MAX))),
      chance_(random.below(UINT64_MAX)) {}

SharedState::~SharedState() = default;

void SharedState::run(std::function<void()> task) {
  {
    const std::lock_guard guard(mutex_);
    inbox_.push_back(std::move(task));
    if (inbox_.size() > 1) return;
  }
  reactor_.post([this] { drain(); });
}

void SharedState::drain() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard guard(mutex_);
    tasks.swap(inbox_);
  }
  for (const auto& task : tasks) task();
}

void SharedState::start() {
  run([this] {
    thread_ = std::this_thread::get_id();
    connect();
    watch();
  });
}

void SharedState::stop(Milliseconds patience, std::function<void()> stopped) {
  run([this, patience, stopped = std::move(stopped)] {
    stopped_ = stopped;
    stop_limit_ = reactor_.call_after(patience, [this] {
      backlog_.clear();
      told_.clear();
      end_if_told();
    });
    end_if_told();
  });
}

void SharedState::end_if_told() {
  if (!stopped_ || !told_.empty()) return;
  if (!backlog_.empty() && has_joined_) return;
  ++connection_;
  usable_ = false;
  has_joined_ = false;
  answer_all();
  retry_.reset(), watch_.reset(), expiry_.reset(), probe_.reset(), stop_limit_.reset();
  replica_.leave();
  sentinel_.reset(), commands_.reset(), news_.reset();
  std::exchange(stopped_, {})();
}

void SharedState::connect() {
  retry_.reset();
  const Target& server = options_.servers[next_server_++ % options_.servers.size()];
  {
    const std::lock_guard guard(mutex_);
    health_.server = server.to_string();
  }
  if (options_.sentinel_master.empty()) {
    connect_to(server);
  } else {
    ask_sentinel(server);
  }
}

void SharedState::ask_sentinel(const Target& sentinel) {
  const auto lost = [this](const std::string& reason) { lose("sentinel: " + reason); };
  sentinel_ = std::make_unique<Client>(
      reactor_, sentinel, Login{}, Client::Role::kSentinel, kConnectLimit,
      Client::Events{[this, lost] {
                       sentinel_->call(
                           {"SENTINEL", "get-master-addr-by-name", options_.sentinel_master},
                           [this, lost](const Reply& reply) {
                             if (reply.kind == Reply::Kind::kLost) return;
                             if (reply.items.size() != 2)
                               return lost("it knows no master " + options_.sentinel_master);
                             Target target;
                             target.host = reply.items[0].text;
                             target.port = reply.items[1].text;
                             target.tls = sentinel_->target().tls;
                             sentinel_.reset();
                             connect_to(target);
                           });
                     },
                     lost});
}

void SharedState::connect_to(const Target& target) {
  {
    const std::lock_guard guard(mutex_);
    health_.server = target.to_string();
  }
  commands_ = std::make_unique<Cluster>(
      reactor_, target, options_.login, kConnectLimit,
      Client::Events{[this] { open_news(); }, [this](const std::string& reason) { lose(reason); }});
}

void SharedState::open_news() {
  news_ = std::make_unique<Client>(
      reactor_, commands_->node_of(keys_.changes()), options_.login, Client::Role::kMaster,
      kConnectLimit,
      Client::Events{[this] { join(); }, [this](const std::string& reason) { lose(reason); }});
}

// The clock first: what is stored is in the server's time.
void SharedState::join() {
  commands_->call({"TIME"}, [this, now = connection_](const Reply& reply) {
    if (now != connection_ || reply.kind == Reply::Kind::kLost) return;
    const auto seconds = reply.integer_at(0), micros = reply.integer_at(1);
    if (!seconds || !micros) return lose("the server refuses TIME: " + reply.text);
    server_clock_.set(*seconds * 1000 + *micros / 1000, clock_());
    replica_.join(*commands_, *news_, [this] { joined(); });
  });
}

void SharedState::joined() {
  has_joined_ = true;
  joined_at_ = reactor_.now();
  is_slow_ = false;
  tell_backlog();
  set_usable(true, {});
}

void SharedState::lose(const std::string& reason) {
  ++connection_;
  has_joined_ = false;
  replica_.leave();
  set_usable(false, reason);
  answer_all();
  // Perhaps they were heard: told again, an event counts once where the window has each by itself.
  for (auto it = told_.rbegin(); it != told_.rend(); ++it)
    backlog_.push_front(std::move(it->second));
  told_.clear();
  expiry_.reset(), probe_.reset();
  sentinel_.reset(), commands_.reset(), news_.reset();
  end_if_told();
  retry_later();
}

void SharedState::retry_later() {
  if (retry_ || !watch_) return;
  const Milliseconds wait =
      std::min(kLastRetry, kFirstRetry * (1 << std::min(failures_, kDoublings)));
  ++failures_;
  chance_ = chance_ * 6364136223846793005u + 1442695040888963407u;
  const Milliseconds more(static_cast<int64_t>((chance_ >> 33) % (wait.count() / 2 + 1)));
  retry_ = reactor_.call_after(wait + more, [this] { connect(); });
}

// Every second, whatever happens.
void SharedState::watch() {
  watch_ = reactor_.call_after(kWatchEvery, [this] {
    watch();
    {
      const std::lock_guard guard(mutex_);
      health_.untold = backlog_.size() + replica_.untold();
    }
    metrics_.shared_backlog.set(static_cast<int64_t>(backlog_.size() + replica_.untold()));
    if (!has_joined_) {
      if (!retry_) return;
      std::string reason;
      {
        const std::lock_guard guard(mutex_);
        reason = health_.reason;
      }
      return set_usable(false, reason);  // says so once a minute
    }
    // One that refuses the first thing it is told, being full perhaps, is not back.
    if (joined_at_ + kWatchEvery <= reactor_.now()) failures_ = 0;
    commands_->when_done([] {});
    const Mono silent_since = reactor_.now() - kSilence;
    if (commands_->waits_since(silent_since) || news_->waits_since(silent_since))
      return lose("no answer for " + std::to_string(kSilence.count()) + " ms");
    if (cleaned_ + kCleanEvery > reactor_.now()) return;
    cleaned_ = reactor_.now();
    replica_.clean();
  });
}

// An answer came too late: nobody waits for one until they come in time again.
void SharedState::probe() {
  if (!has_joined_) return;
  commands_->when_done([this, now = connection_, sent = reactor_.now()] {
    if (now != connection_) return;
    if (reactor_.now() - sent <= options_.budget) {
      is_slow_ = false;
      return set_usable(true, {});
    }
    probe_ = reactor_.call_after(kProbeEvery, [this] { probe(); });
  });
}

void SharedState::set_usable(bool usable, const std::string& reason) {
  const bool was = usable_.exchange(usable);
  metrics_.shared_reachable.set(usable ? 1 : 0);
  std::string server;
  {
    const std::lock_guard guard(mutex_);
    health_.is_usable = usable;
    health_.reason = reason;
    server = health_.server;
  }
  // A server that comes and goes does not fill the log: each complaint has one end.
  if (usable) {
    if (!was && std::exchange(has_complained_, false))
      log_.info("shared-state-up", "counting together with other hosts", {{"server", server}});
  } else if (!stopped_ && complaint_.due(reactor_.now())) {
    has_complained_ = true;
    log_.error("shared-state-down",
               "limits hold on this host only until the server of the shared state answers",
               {{"server", server}, {"reason", reason}});
  }
}

SharedState::Health SharedState::health() const {
  const std::lock_guard guard(mutex_);
  return health_;
}

}  // namespace saslatch::state::redis
