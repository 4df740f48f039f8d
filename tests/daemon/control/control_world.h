#ifndef SASLATCH_TESTS_DAEMON_CONTROL_CONTROL_WORLD_H_
#define SASLATCH_TESTS_DAEMON_CONTROL_CONTROL_WORLD_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/control/commands.h"
#include "daemon/control/control_session.h"
#include "daemon/control/daemon_view.h"

namespace saslatch::control {

// A daemon as far as its administrator's commands see it: the real policy engine and metrics, and a
// view in which a test sets what it wants to be told. The clock stands at 2026-07-01T09:30:00Z
// until it is moved.
class ControlWorld final : public DaemonView, public AuditSink {
 public:
  ControlWorld();

  [[nodiscard]] Now now() const { return now_; }
  void advance(std::chrono::milliseconds by);

  // A login that is decided and counted: `right` or with a wrong password.
  void login(std::string_view user, std::string_view rip, bool right);

  [[nodiscard]] Commands& commands() { return commands_; }
  [[nodiscard]] Metrics& metrics() { return metrics_; }
  [[nodiscard]] policy::Engine& engine() { return engine_; }

  // The next audit event as its line, without the newline; "" if there is none.
  std::string next_event();
  [[nodiscard]] bool has_events() const { return !events_.empty(); }

  DaemonStatus daemon;       // what status() tells
  ReloadReport next_reload;  // what reload() comes to

  // DaemonView
  [[nodiscard]] DaemonStatus status() const override { return daemon; }
  ReloadReport reload(Now) override { return next_reload; }
  void wait_until_stored(uint64_t) override {}
  void wait_until_all_stored() override {}
  policy::SharedReply ask_together(policy::SharedRequest request) override {
    asked_together = std::move(request);
    return next_together;
  }
  policy::SharedRequest asked_together;
  policy::SharedReply next_together;  // what it comes to
  void users_changed() override { ++users_changed_; }
  [[nodiscard]] int users_changes() const { return users_changed_; }
  StaleWatch stale;
  [[nodiscard]] std::optional<std::string> normalise(std::string_view name) const override;

  // AuditSink
  void write(const Event& event) override { events_.push_back(to_json_line(event)); }

 private:
  class ZeroRandom final : public Random {
   public:
    void fill(std::span<uint8_t> bytes) override {
      for (uint8_t& byte : bytes) byte = 0;
    }
  };

  Now now_;
  int users_changed_ = 0;
  ZeroRandom random_;  // before the engine
  policy::Engine engine_;
  Metrics metrics_;
  Commands commands_;
  std::deque<std::string> events_;
};

}  // namespace saslatch::control

#endif  // SASLATCH_TESTS_DAEMON_CONTROL_CONTROL_WORLD_H_
