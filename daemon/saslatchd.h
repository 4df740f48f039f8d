#ifndef SASLATCH_DAEMON_SASLATCHD_H_
#define SASLATCH_DAEMON_SASLATCHD_H_

#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/audit/failure_log.h"
#include "daemon/audit/file_sink.h"
#include "daemon/audit/once_per_minute.h"
#include "daemon/audit/reloadable.h"
#include "daemon/config/config.h"
#include "daemon/control/codes_session.h"
#include "daemon/control/commands.h"
#include "daemon/environment.h"
#include "daemon/metrics/metrics.h"
#include "daemon/net/server.h"
#include "daemon/net/workers.h"
#include "daemon/passdb/code_book.h"
#include "daemon/passdb/verifier.h"
#include "daemon/passdb_chain.h"
#include "daemon/policy/engine.h"
#include "daemon/privileges.h"
#include "daemon/session/held_answers.h"
#include "daemon/session/now.h"
#include "daemon/session/session_parts.h"
#include "daemon/session/settings.h"
#include "daemon/session/stale_watch.h"
#include "daemon/sharing.h"
#include "daemon/state/directory_lock.h"
#include "daemon/state/store.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch {

// The daemon: every part, made and wired. main() makes one, starts it, and tells it about signals.
class Saslatchd final : public control::DaemonView {
 public:
  // `config` was read from `config_path` and has no errors; `clock` outlives this object.
  Saslatchd(std::string config_path, config::Config config, std::unique_ptr<Log> log,
            const TimeSource& clock);
  ~Saslatchd() override;

  // Opens sockets, becomes the configured user, loads what is to be loaded, and serves. An error is
  // a sentence for the administrator and the exit code of sysexits(3).
  struct StartError {
    int exit_code;
    std::string message;
  };
  [[nodiscard]] std::optional<StartError> start();

  // SIGHUP: new configuration, and the audit log's file opened anew.
  void hang_up();
  // Whether the event loops have come round since the last call; for the watchdog.
  [[nodiscard]] bool is_alive() { return server_.is_alive(); }
  // SIGTERM: finishes what is in flight and returns when nothing runs any more.
  void stop();

  // control::DaemonView
  [[nodiscard]] control::DaemonStatus status() const override;
  control::ReloadReport reload(Now now) override;
  void wait_until_stored(uint64_t journalled) override;
  void wait_until_all_stored() override;
  policy::SharedReply ask_together(policy::SharedRequest request) override;
  void users_changed() override;
  [[nodiscard]] std::optional<std::string> normalise(std::string_view name) const override;

 private:
  // The state's journal as attempts see it.
  class JournalDurability final : public Durability {
   public:
    explicit JournalDurability(state::Store& store) : store_(store) {}
    [[nodiscard]] bool is_durable(uint64_t number) const override {
      return store_.is_flushed(number);
    }
    void when_durable(uint64_t number, std::function<void()> then) override {
      store_.when_flushed(number, std::move(then));
    }

   private:
    state::Store& store_;
  };

  [[nodiscard]] std::optional<StartError> prepare_directories(const std::optional<UserIds>& owner);
  [[nodiscard]] std::optional<StartError> claim_state_directory();
  [[nodiscard]] std::optional<StartError> open_sockets(const std::optional<UserIds>& owner);
  // What each of the two servers listens on.
  struct Endpoints {
    std::vector<net::Endpoint> logins;
    std::vector<net::Endpoint> control;  // the control socket, and doors where users manage codes
  };
  [[nodiscard]] Result<Endpoints> endpoints(const config::Config& config);
  [[nodiscard]] net::Endpoint control_endpoint();
  [[nodiscard]] net::SessionFactory session_factory(const config::ListenConfig& listen);
  [[nodiscard]] std::shared_ptr<const Settings> make_settings(const config::Config& config);
  void replace_audit(const std::string& path);
  [[nodiscard]] std::optional<StartError> restore_state();
  void update_gauges(Now now);
  void watch_memory(Now now);
  void daemon_event(std::string name);

  // In the order of making; the threads (servers, workers, housekeeping) end first.
  const std::string config_path_;
  const uint32_t pid_ = static_cast<uint32_t>(getpid());
  const TimeSource& clock_;
  const Now made_;
  SystemRandom random_;
  Metrics metrics_;
  MemoryReserve memory_;
  ReloadableLog log_;
  ReloadableSink<FileAuditSink> audit_file_;
  FailureLog audit_;
  HeldAnswers holds_;
  state::Store store_;
  state::redis::SharedJournal journal_;
  policy::Engine engine_;
  std::unique_ptr<SharingHosts> sharing_;  // null: [state] backend = local
  JournalDurability durability_;
  StaleWatch stale_;
  std::shared_ptr<passdb::CodeBook> codes_;
  control::CodesDoor codes_door_;
  PassdbChain passdbs_;

  mutable std::mutex reload_mutex_;  // guards these down to config_loaded_
  config::Config config_;
  std::shared_ptr<const Settings> in_force_;
  Wall config_loaded_;
  std::string hostname_;
  std::optional<state::DirectoryLock> state_lock_;
  std::map<std::string, std::shared_ptr<std::atomic<int64_t>>> connections_;  // by listener

  net::WorkerPool workers_;
  net::WorkerPool lookups_;  // submits to workers_
  AttemptServices services_;
  control::Commands commands_;
  net::UnixAddress control_address_;
  uint32_t own_uid_ = UINT32_MAX;                 // of whom the daemon becomes
  std::shared_ptr<const Settings> control_cell_;  // of the control loop, changed on its thread
  std::vector<std::shared_ptr<const Settings>> cells_;  // one an event loop, changed on its thread
  net::Server server_;
  net::Server control_server_;
  net::Housekeeping housekeeping_;
  // Of watch_memory().
  OncePerMinute memory_complaints_;
  uint64_t given_up_ = 0;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SASLATCHD_H_
