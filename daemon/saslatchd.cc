#include "daemon/saslatchd.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <iterator>
#include <thread>
#include <utility>

#include "daemon/config/saslatchd_options.h"
#include "daemon/control/control_session.h"
#include "daemon/environment.h"
#include "daemon/net/service_manager.h"
#include "daemon/password/hash_memory.h"
#include "daemon/session/dovecot_session.h"
#include "daemon/session/master_session.h"
#include "daemon/session/metrics_session.h"
#include "daemon/session/saslauthd_session.h"
#include "protocol/sasl/mechanisms.h"

namespace saslatch {
namespace {

// sysexits(3).
constexpr int kCannotCreate = 73;
constexpr int kTemporary = 75;
constexpr int kPermission = 77;
constexpr int kConfiguration = 78;

// With a blank, so that no [listen.NAME] can be called the same.
constexpr const char* kControlEndpoint = "control socket";

// How late the last use of a code may be on disk: what kill -9 may cost.
constexpr std::chrono::seconds kCodeUseFlush(5);

// What finishing the work in hand may take when there is no memory left, of all threads together.
constexpr size_t kMemoryPutBy = size_t{4} << 20;

// How long a thread keeps the memory of its hashes, 64 MiB as a rule, after the last one.
constexpr std::chrono::seconds kHashMemoryKept(5);

// What an answer may still take after max-hold when the daemon stops.
constexpr std::chrono::milliseconds kStopMargin(500);

size_t threads_or_cores(unsigned configured) {
  return configured != 0 ? configured : usable_cores();
}

std::string own_hostname() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

std::string_view to_string(config::ListenProtocol protocol) {
  switch (protocol) {
    case config::ListenProtocol::kDovecot:
      return "dovecot";
    case config::ListenProtocol::kDovecotMaster:
      return "dovecot-master";
    case config::ListenProtocol::kSaslauthd:
      return "saslauthd";
    case config::ListenProtocol::kCodes:
      return "codes";
    case config::ListenProtocol::kMetrics:
      break;
  }
  return "metrics";
}

Result<net::SocketAddress> socket_address(const config::ListenConfig& listen) {
  if (const auto* const tcp = std::get_if<config::TcpAddress>(&listen.socket)) {
    return net::TcpAddress{tcp->address.to_string(), tcp->port};
  }
  net::UnixAddress address;
  address.path = std::get<std::string>(listen.socket);
  address.mode = listen.mode;
  if (!listen.owner.empty()) {
    const auto user = find_user(listen.owner);
    if (!user) {
      return failure("[listen." + listen.name + "] owner: there is no user " + listen.owner);
    }
    address.owner = user->uid;
  }
  if (!listen.group.empty()) {
    address.group = find_group(listen.group);
    if (!address.group) {
      return failure("[listen." + listen.name + "] group: there is no group " + listen.group);
    }
  }
  return net::SocketAddress(address);
}

// To whom a userdb socket tells of its own uid only: who is neither its owner nor in its group,
// where everybody may connect (mode 0666). So does Dovecot. nullopt: tells everything.
std::optional<uint32_t> only_uid(const config::ListenConfig& listen, int socket) {
  const auto* const path = std::get_if<std::string>(&listen.socket);
  if (path == nullptr || listen.mode != 0666) return std::nullopt;
  const auto peer = net::peer_of(socket);
  if (!peer) return UINT32_MAX;
  struct stat file {};
  const bool is_known = stat(path->c_str(), &file) == 0;
  if (peer->uid == 0 || (is_known && (peer->uid == file.st_uid || peer->gid == file.st_gid))) {
    return std::nullopt;
  }
  return peer->uid;
}

// Whom a daemon that was started as root becomes; nullopt: it stays what it is.
std::optional<UserIds> user_to_become(const config::Config& config) {
  if (geteuid() != 0) return std::nullopt;
  return find_user(config.daemon.user.value_or(config::kDefaultUser));
}

}  // namespace

Saslatchd::Saslatchd(std::string config_path, config::Config config, std::unique_ptr<Log> log,
                     const TimeSource& clock)
    : config_path_(std::move(config_path)),
      clock_(clock),
      made_(clock.read()),
      memory_(kMemoryPutBy),
      log_(std::move(log)),
      audit_(log_, &audit_file_),
      holds_(config.policy.held_answers),
      store_(log_, [this] { return clock_.read().policy; }),
      journal_(store_),
      engine_(config.policy, policy::HashKey{}, random_, &journal_),  // restore_state() has the key
      durability_(store_),
      codes_(std::make_shared<passdb::CodeBook>(config.daemon.state_dir)),
      codes_door_{config.daemon.state_dir, random_, *codes_},
      passdbs_(log_, random_, clock_),
      config_(std::move(config)),
      config_loaded_(made_.wall),
      hostname_(own_hostname()),
      workers_(threads_or_cores(config_.daemon.hash_threads),
               {net::kNicerForHashes, password::keep_hash_memory, password::release_hash_memory,
                kHashMemoryKept},
               config_.policy.max_hold, clock_,
               {metrics_.check_queue, metrics_.checks_running, metrics_.check_wait,
                metrics_.check_duration, metrics_.out_of_memory}),
      lookups_(threads_or_cores(config_.daemon.hash_threads), {}, config_.policy.max_hold, clock_,
               {metrics_.lookup_queue, metrics_.lookups_running, metrics_.lookup_wait,
                metrics_.lookup_duration, metrics_.out_of_memory}),
      services_{engine_, lookups_, workers_,    audit_, metrics_,
                random_, clock_,   durability_, &stale_},
      commands_(control::Parts{*this, engine_, metrics_, audit_, &stale_}),
      cells_(threads_or_cores(config_.daemon.threads)),
      server_(cells_.size(), clock_, metrics_, log_),
      control_server_(1, clock_, metrics_, log_),
      housekeeping_(clock_, metrics_.out_of_memory) {}

Saslatchd::~Saslatchd() = default;

std::optional<Saslatchd::StartError> Saslatchd::start() {
  raise_descriptor_limit();
  const std::optional<UserIds> become_user = user_to_become(config_);
  if (auto error = prepare_directories(become_user)) return error;
  if (auto error = claim_state_directory()) return error;
  if (auto error = open_sockets(become_user)) return error;
  if (become_user) {
    if (const auto done = become(*become_user); !done) {
      return StartError{kPermission, done.error().message};
    }
  } else if (geteuid() == 0) {
    log_.warning("running-as-root",
                 "no user to become: create the user saslatch, or set [daemon] user");
  }

  replace_audit(config_.daemon.audit_log);
  if (auto error = restore_state()) return error;
  passdbs_.configure(config_);
  const Now now = clock_.read();
  passdbs_.load(*codes_, now.mono);
  in_force_ = make_settings(config_);
  std::fill(cells_.begin(), cells_.end(), in_force_);
  control_cell_ = in_force_;

  housekeeping_.every(passdb::kPasswdFilePoll, [this](Now at) { passdbs_.refresh_files(at.mono); });
  housekeeping_.every(std::chrono::seconds(1), [this](Now at) {
    engine_.sweep(at.policy);
    std::shared_ptr<const Settings> settings;
    {
      const std::lock_guard lock(reload_mutex_);
      settings = in_force_;
    }
    settings->verifier->sweep(at.mono);
    // `saslatch` tells when it has changed something; a restored database comes by itself.
    (void)codes_->refresh();
    passdbs_.refresh_databases(at.mono);
    update_gauges(at);
    passdbs_.end_retired();
  });
  housekeeping_.every(std::chrono::seconds(1), [this](Now at) { watch_memory(at); });
  housekeeping_.every(kCodeUseFlush, [this](Now) {
    (void)codes_->flush();
    (void)codes_->refresh();  // what was flushed is a commit like any other
  });
  workers_.start();
  lookups_.start();
  housekeeping_.start();
  if (sharing_) sharing_->start();
  server_.start();
  control_server_.start();
  daemon_event("started");
  log_.info("started", "serving logins", {{"version", SASLATCH_VERSION}, {"config", config_path_}});
  net::notify_service_manager("READY=1");
  return std::nullopt;
}

void Saslatchd::watch_memory(Now now) {
  const bool is_put_by = memory_.refill();
  const uint64_t given_up = metrics_.out_of_memory.value();
  if ((is_put_by && given_up == given_up_) || !memory_complaints_.due(now.mono)) return;
  log_.error("out-of-memory",
             "memory ran out; what could not be done was answered as temporary or hung up on",
             {{"given_up", std::to_string(given_up - std::exchange(given_up_, given_up))}});
}

std::optional<Saslatchd::StartError> Saslatchd::prepare_directories(
    const std::optional<UserIds>& owner) {
  const auto failed = [](const Result<void>& made) {
    return StartError{kCannotCreate, made.error().message};
  };
  if (const auto made = make_directory(config_.daemon.state_dir, 0750, owner); !made) {
    return failed(made);
  }
  // Mail servers go through it to their sockets, hence readable.
  if (const auto made = make_directory(config_.daemon.run_dir, 0755, owner); !made) {
    return failed(made);
  }
  if (!config_.daemon.audit_log.empty()) {
    const auto parent = std::filesystem::path(config_.daemon.audit_log).parent_path();
    // The daemon goes on without an audit log, and the sink says so.
    (void)make_directory(parent.string(), 0750, owner);
  }
  return std::nullopt;
}

std::optional<Saslatchd::StartError> Saslatchd::claim_state_directory() {
  auto lock = state::DirectoryLock::claim(config_.daemon.state_dir);
  if (lock) {
    state_lock_ = std::move(*lock);
    return std::nullopt;
  }
  switch (lock.error().failure) {
    case state::DirectoryLock::Failure::kHeld:
      return StartError{kTemporary, lock.error().message};
    case state::DirectoryLock::Failure::kNoAccess:
      break;  // logins matter more than the protection from a second daemon
  }
  log_.warning("state-dir-unlocked", "a second daemon on it would not be noticed",
               {{"error", lock.error().message}});
  return std::nullopt;
}

std::optional<Saslatchd::StartError> Saslatchd::open_sockets(const std::optional<UserIds>& owner) {
  own_uid_ = owner ? owner->uid : geteuid();
  control_address_.path = config_.daemon.run_dir + "/control";
  control_address_.mode = 0600;
  if (owner) control_address_.owner = owner->uid;
  auto wanted = endpoints(config_);
  if (!wanted) return StartError{kConfiguration, wanted.error().message};
  server_.inherit(net::inherited_sockets());
  // The control socket first: whoever sees a listener accept may ask about it.
  std::vector<Error> of_control = control_server_.open(std::move(wanted->control));
  std::vector<Error> errors = server_.open(std::move(wanted->logins));
  std::move(of_control.begin(), of_control.end(), std::back_inserter(errors));
  if (errors.empty()) return std::nullopt;
  std::string all;
  for (const Error& error : errors) all += (all.empty() ? "" : "\n") + error.message;
  return StartError{kCannotCreate, all};
}

net::Endpoint Saslatchd::control_endpoint() {
  return {kControlEndpoint, control_address_,
          [this](const net::NewConnection& connection, Now now) {
            // Without a credential nobody may change anything.
            const auto peer = net::peer_of(connection.socket);
            return std::make_unique<control::ControlSession>(
                control::make_peer(peer ? peer->uid : UINT32_MAX, own_uid_), commands_, now);
          }};
}

Result<Saslatchd::Endpoints> Saslatchd::endpoints(const config::Config& config) {
  Endpoints all;
  all.control.push_back(control_endpoint());
  for (const config::ListenConfig& listen : config.listen) {
    auto address = socket_address(listen);
    if (!address) return tl::unexpected(address.error());
    auto& count = connections_[listen.name];
    if (!count) count = std::make_shared<std::atomic<int64_t>>(0);
    const bool is_door = listen.protocol == config::ListenProtocol::kCodes;
    // A door writes to a disk, which no loop that serves logins may wait for.
    (is_door ? all.control : all.logins)
        .push_back({listen.name, std::move(*address), session_factory(listen)});
  }
  return all;
}

net::SessionFactory Saslatchd::session_factory(const config::ListenConfig& listen) {
  return [this, listen, count = connections_[listen.name]](const net::NewConnection& connection,
                                                           Now now) -> std::unique_ptr<Session> {
    const bool is_door = listen.protocol == config::ListenProtocol::kCodes;
    count->fetch_add(1, std::memory_order_relaxed);
    std::shared_ptr<void> counted(
        nullptr, [count](void*) { count->fetch_sub(1, std::memory_order_relaxed); });
    SessionParts parts{services_,
                       holds_,
                       log_,
                       is_door ? control_cell_ : cells_[connection.loop_index],
                       connection.mailbox,
                       listen.name,
                       connection.number,
                       pid_,
                       std::move(counted)};
    switch (listen.protocol) {
      case config::ListenProtocol::kDovecot:
        return std::make_unique<DovecotSession>(std::move(parts));
      case config::ListenProtocol::kDovecotMaster:
        return std::make_unique<MasterSession>(std::move(parts),
                                               only_uid(listen, connection.socket));
      case config::ListenProtocol::kSaslauthd:
        return std::make_unique<SaslauthdSession>(std::move(parts));
      case config::ListenProtocol::kCodes:
        return std::make_unique<control::CodesSession>(std::move(parts), codes_door_, now);
      case config::ListenProtocol::kMetrics:
        break;
    }
    return std::make_unique<MetricsSession>(metrics_, now);
  };
}

std::shared_ptr<const Settings> Saslatchd::make_settings(const config::Config& config) {
  const std::vector<sasl::MechanismInfo> known = sasl::known_mechanisms();
  auto mechanisms = sasl::Registry::create(known, config.mechanisms.offer);
  UsernameRules usernames;
  usernames.lowercase = config.usernames.lowercase;
  usernames.default_domain = config.usernames.default_domain;
  usernames.allow(config.usernames.allowed_chars);
  auto settings = std::make_shared<Settings>(
      Settings{.mechanisms = std::move(mechanisms.value()),
               .verifier = std::make_shared<const passdb::Verifier>(
                   passdbs_.passdbs(), log_, random_, config.daemon.verdict_cache,
                   passdb::CodeRules{codes_, config.codes.main_password}),
               .usernames = std::move(usernames),
               .hostname = hostname_,
               .failure_delay = config.policy.failure_delay,
               .max_hold = config.policy.max_hold});
  settings->max_codes = config.codes.max_per_account;
  if (const auto nobody = find_user("nobody")) {
    settings->nobody_uid = nobody->uid;
    settings->nobody_gid = nobody->gid;
  }
  for (const config::ListenConfig& listen : config.listen) {
    settings->listeners.emplace(
        listen.name,
        ListenerSettings{listen.name, config::plaintext_needs_tls(config, listen),
                         listen.on_temporary_failure == config::OnTemporaryFailure::kDisconnect});
  }
  return settings;
}

void Saslatchd::replace_audit(const std::string& path) {
  audit_file_.replace(path.empty() ? nullptr : std::make_unique<FileAuditSink>(path, log_));
}

void Saslatchd::daemon_event(std::string name) {
  audit_.write(DaemonEvent{clock_.read().wall, std::move(name), {{"version", SASLATCH_VERSION}}});
}

std::optional<Saslatchd::StartError> Saslatchd::restore_state() {
  store_.open(config_.daemon.state_dir, random_);
  if (config_.state.backend == config::StateBackend::kRedis) {
    auto sharing = SharingHosts::make(
        config_.state, config_.policy.max_hold,
        {engine_, [this] { return clock_.read().policy; }, audit_, metrics_, log_, random_});
    if (!sharing) return StartError{kConfiguration, sharing.error().message};
    sharing_ = std::move(*sharing);
    store_.use_key(sharing_->subject_key());
    journal_.share(sharing_->state());
    services_.sharing = &sharing_->state();
  }
  engine_.adopt_key(store_.key());
  store_.restore(engine_);
  store_.start(engine_);
  return std::nullopt;
}

void Saslatchd::update_gauges(Now now) {
  const bool is_writable = store_.health().is_writable;
  if (!is_writable) metrics_.state_write_failures.add();
  metrics_.state_writable.set(is_writable ? 1 : 0);
  const policy::Figures figures = engine_.figures(now.policy);
  metrics_.subjects.set(static_cast<int64_t>(figures.subjects));
  metrics_.locks.set(static_cast<int64_t>(figures.locks));
  metrics_.familiar_networks.set(static_cast<int64_t>(figures.familiar));
  metrics_.policy_memory_bytes.set(static_cast<int64_t>(figures.bytes));
  metrics_.resident_memory_bytes.set(static_cast<int64_t>(resident_memory_bytes()));
  metrics_.subjects_evicted.follow(figures.evicted);
  metrics_.locks_evicted.follow(figures.evicted_locks);
  metrics_.set_locks_by_rule({figures.locks_by_rule.begin(), figures.locks_by_rule.end()});
  metrics_.audit_writable.set(1);
  audit_file_.with([this](FileAuditSink& sink) {
    metrics_.audit_dropped.add(sink.take_dropped());
    metrics_.audit_writable.set(sink.trouble().empty() ? 1 : 0);
  });
  const std::lock_guard lock(reload_mutex_);
  metrics_.subjects_limit.set(static_cast<int64_t>(config_.policy.max_subjects));
  std::vector<std::pair<std::string, bool>> passdbs;
  for (const auto& passdb : passdbs_.passdbs()) {
    passdbs.emplace_back(passdb->name(), passdb->status().available);
  }
  metrics_.passdbs_down.set(std::count_if(passdbs.begin(), passdbs.end(),
                                          [](const auto& passdb) { return !passdb.second; }));
  metrics_.set_passdbs(std::move(passdbs));
}

void Saslatchd::hang_up() {
  const control::ReloadReport report = reload(clock_.read());
  for (const std::string& warning : report.warnings) {
    log_.warning("config-warning", "the configuration is in force, but", {{"warning", warning}});
  }
  for (const std::string& key : report.needs_restart) {
    log_.warning("config-needs-restart", "a changed key takes effect at the next start only",
                 {{"key", key}});
  }
}

control::ReloadReport Saslatchd::reload(Now now) {
  net::notify_service_manager("RELOADING=1");
  const std::lock_guard lock(reload_mutex_);
  control::ReloadReport report;
  const auto refuse = [&](std::vector<std::string> errors) {
    for (const std::string& error : errors) {
      log_.error("config-refused", "the old configuration stays in force", {{"error", error}});
    }
    metrics_.reloads_failed.add();
    report.errors = std::move(errors);
    audit_file_.with([](FileAuditSink& sink) { sink.reopen(); });
    net::notify_service_manager("READY=1");
    return report;
  };

  RealEnvironment environment(config_.passdb);
  config::LoadedConfig loaded = config::load_config(config_path_, &environment);
  std::vector<std::string> errors;
  for (const config::Problem& problem : loaded.problems) {
    (problem.kind == config::Problem::Kind::kError ? errors : report.warnings)
        .push_back(config::to_string(problem, config_path_));
  }
  if (!loaded.usable) return refuse(std::move(errors));

  config::Config next = std::move(loaded.config);
  report.needs_restart = config::needs_restart(config_, next);
  next.daemon.state_dir = config_.daemon.state_dir;
  next.daemon.run_dir = config_.daemon.run_dir;
  next.daemon.user = config_.daemon.user;
  next.daemon.threads = config_.daemon.threads;
  next.daemon.hash_threads = config_.daemon.hash_threads;
  next.state = config_.state;

  std::unique_ptr<Log> log;
  if (next.daemon.log_target != config_.daemon.log_target ||
      next.daemon.log_level != config_.daemon.log_level) {
    auto made = make_log(next.daemon.log_target, next.daemon.log_level);
    if (!made) return refuse({made.error().message});
    log = std::move(*made);
  }
  auto wanted = endpoints(next);
  if (!wanted) return refuse({wanted.error().message});
  for (const Error& error : control_server_.replace(std::move(wanted->control))) {
    errors.push_back(error.message);
  }
  if (errors.empty()) {
    for (const Error& error : server_.replace(std::move(wanted->logins))) {
      errors.push_back(error.message);
    }
    if (!errors.empty()) {
      // What was open a moment ago opens again.
      if (auto old = endpoints(config_)) (void)control_server_.replace(std::move(old->control));
    }
  }
  if (!errors.empty()) return refuse(std::move(errors));

  // From here on nothing fails.
  if (log) log_.replace(std::move(log));
  if (next.daemon.audit_log != config_.daemon.audit_log) {
    replace_audit(next.daemon.audit_log);
  } else {
    audit_file_.with([](FileAuditSink& sink) { sink.reopen(); });
  }
  passdbs_.configure(next);
  config_ = std::move(next);
  config_loaded_ = now.wall;
  passdbs_.load(*codes_, now.mono);
  engine_.configure(config_.policy, now.policy);
  holds_.set_limit(config_.policy.held_answers);
  workers_.set_max_hold(config_.policy.max_hold);
  lookups_.set_max_hold(config_.policy.max_hold);
  in_force_ = make_settings(config_);
  server_.on_each_loop([this, settings = in_force_](size_t index) { cells_[index] = settings; });
  control_server_.on_each_loop([this, settings = in_force_](size_t) { control_cell_ = settings; });
  metrics_.reloads.add();
  daemon_event("reloaded");
  log_.info("reloaded", "the new configuration is in force", {{"config", config_path_}});
  net::notify_service_manager("READY=1");
  return report;
}

void Saslatchd::stop() {
  net::notify_service_manager("STOPPING=1");
  log_.info("stopping", "finishing what is in flight");
  server_.stop(config_.policy.max_hold + kStopMargin);
  control_server_.stop(std::chrono::milliseconds(0));
  housekeeping_.stop();
  lookups_.stop();
  passdbs_.stop();
  workers_.stop();
  if (sharing_) sharing_->stop();
  (void)codes_->flush();
  store_.stop();
  daemon_event("stopped");
  audit_file_.with([](FileAuditSink& sink) { sink.flush(); });
  log_.info("stopped", "bye");
}

control::DaemonStatus Saslatchd::status() const {
  const std::lock_guard lock(reload_mutex_);
  control::DaemonStatus status;
  const Now now = clock_.read();
  status.pid = static_cast<uint64_t>(getpid());
  status.started =
      now.wall - std::chrono::duration_cast<std::chrono::microseconds>(now.mono - made_.mono);
  status.config = config_path_;
  status.config_loaded = config_loaded_;
  status.user = current_user().name;
  status.policy_mode = config_.policy.mode == policy::Mode::kObserve ? "observe" : "enforce";
  status.preset = config_.preset;
  std::vector<net::EndpointStatus> endpoints = server_.status();
  for (net::EndpointStatus& door : control_server_.status()) endpoints.push_back(std::move(door));
  for (const config::ListenConfig& listen : config_.listen) {
    control::ListenerStatus listener;
    listener.name = listen.name;
    listener.protocol = to_string(listen.protocol);
    listener.socket = config::to_string(listen.socket);
    const auto count = connections_.find(listen.name);
    if (count != connections_.end()) {
      listener.connections = static_cast<uint64_t>(std::max<int64_t>(0, count->second->load()));
    }
    for (const net::EndpointStatus& endpoint : endpoints) {
      if (endpoint.name != listen.name) continue;
      listener.inherited = endpoint.inherited;
      listener.accepting = endpoint.accepting;
      for (const net::SocketAddress& address : endpoint.addresses) {
        listener.addresses.push_back(net::to_string(address));
      }
    }
    status.listeners.push_back(std::move(listener));
  }
  for (const auto& passdb : passdbs_.passdbs()) status.passdbs.push_back(passdb->status());
  status.state.path = config_.daemon.state_dir + "/state.db";
  if (const auto health = store_.health(); !health.is_writable)
    status.state.trouble = health.reason;
  if (sharing_) {
    const auto health = sharing_->state().health();
    status.shared = {health.server, health.is_usable ? "" : health.reason};
    if (!health.is_usable && health.reason.empty()) status.shared.trouble = "connecting";
  }
  status.audit.path = config_.daemon.audit_log;
  audit_file_.with([&](const FileAuditSink& sink) { status.audit.trouble = sink.trouble(); });
  return status;
}

void Saslatchd::users_changed() { (void)codes_->refresh(); }

void Saslatchd::wait_until_stored(uint64_t journalled) { store_.wait_flushed(journalled); }

void Saslatchd::wait_until_all_stored() { store_.wait_flushed(store_.appended()); }

policy::SharedReply Saslatchd::ask_together(policy::SharedRequest request) {
  if (!sharing_ || !sharing_->state().is_usable()) return {};
  // It answers by itself, after its budget at the latest, unless it ends just now. The promise is
  // shared with an answer that comes late.
  constexpr std::chrono::seconds kPatience(2);
  const auto answered = std::make_shared<std::promise<policy::SharedReply>>();
  auto reply = answered->get_future();
  sharing_->state().reserve(
      std::move(request), policy::Duration(0),
      [answered](policy::SharedReply told) { answered->set_value(std::move(told)); });
  if (reply.wait_for(kPatience) != std::future_status::ready) return {};
  return reply.get();
}

std::optional<std::string> Saslatchd::normalise(std::string_view name) const {
  const std::lock_guard lock(reload_mutex_);
  return normalise_username(name, in_force_->usernames);
}

}  // namespace saslatch
