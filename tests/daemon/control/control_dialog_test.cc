// Plays tests/dialogs/control against a ControlSession. Letters of these dialogs:
//   P: 1000                    the peer's uid, before it says anything; without it, root (0)
//   L: alice 203.0.113.9 wrong a login is decided ("right", "wrong")
//   T: 60                      so many seconds pass
//   R: error TEXT              what the next reload comes to: error, warning or restart TEXT
//   D: passdb TEXT             trouble of the passdb, the state or the audit log, from now on
//   A: {"ts":...}              the next audit event
#include <gtest/gtest.h>

#include <sstream>

#include "tests/daemon/control/control_world.h"
#include "tests/dialogs/dialog.h"

namespace saslatch::control {
namespace {

constexpr uint32_t kDaemonUid = 990;

class ControlPeer final : public dialog::Peer {
 public:
  ControlPeer() { connect(0); }

  void receive(std::string_view bytes) override { session_->receive(bytes, world_.now()); }
  std::string take_output() override { return session_->take_output(); }
  std::string closed() override { return session_->is_over() ? "over" : ""; }

  std::string act(char letter, std::string_view text) override {
    std::istringstream words{std::string(text)};
    switch (letter) {
      case 'P': {
        uint32_t uid = 0;
        words >> uid;
        connect(uid);
        return "";
      }
      case 'L': {
        std::string user, rip, how;
        words >> user >> rip >> how;
        world_.login(user, rip, how == "right");
        return "";
      }
      case 'T': {
        int seconds = 0;
        words >> seconds;
        world_.advance(std::chrono::seconds(seconds));
        const auto deadline = session_->next_deadline();
        if (deadline && *deadline <= world_.now().mono) session_->on_deadline(world_.now());
        return "";
      }
      case 'R':
        return plan_reload(text);
      case 'D':
        return break_down(text);
      case 'A': {
        const std::string event = world_.next_event();
        return event == text ? "" : "the audit event is " + (event.empty() ? "missing" : event);
      }
      default:
        return std::string("no letter of these dialogs: ") + letter;
    }
  }

  std::string unexpected() override { return world_.has_events() ? world_.next_event() : ""; }

 private:
  void connect(uint32_t uid) {
    session_ = std::make_unique<ControlSession>(make_peer(uid, kDaemonUid), world_.commands(),
                                                world_.now());
  }

  std::string plan_reload(std::string_view text) {
    const size_t space = text.find(' ');
    const std::string_view kind = text.substr(0, space);
    const std::string what(text.substr(space + 1));
    ReloadReport& report = world_.next_reload;
    if (kind == "error") {
      report.errors.push_back(what);
    } else if (kind == "warning") {
      report.warnings.push_back(what);
    } else if (kind == "restart") {
      report.needs_restart.push_back(what);
    } else {
      return "no outcome of a reload: " + std::string(kind);
    }
    return "";
  }

  std::string break_down(std::string_view text) {
    const size_t space = text.find(' ');
    const std::string_view what = text.substr(0, space);
    const std::string why(text.substr(space + 1));
    if (what == "passdb") {
      world_.daemon.passdbs.front().available = false;
      world_.daemon.passdbs.front().reason = why;
    } else if (what == "state") {
      world_.daemon.state.trouble = why;
    } else if (what == "audit") {
      world_.daemon.audit.trouble = why;
    } else {
      return "nothing to break: " + std::string(what);
    }
    return "";
  }

  ControlWorld world_;
  std::unique_ptr<ControlSession> session_;
};

TEST(ControlSession, FollowsItsDialogsHoweverTheBytesArrive) {
  const auto dialogs = dialog::read(SASLATCH_TESTS_DIR "/dialogs/control");
  ASSERT_TRUE(dialogs) << dialogs.error().message;
  ASSERT_FALSE(dialogs->empty());
  for (const dialog::Dialog& dialog : *dialogs) {
    for (const auto arrival :
         {dialog::Arrival::kLines, dialog::Arrival::kBytes, dialog::Arrival::kTogether}) {
      ControlPeer peer;
      EXPECT_EQ(dialog::play(dialog, peer, arrival), "") << dialog.name;
    }
  }
}

TEST(ControlSession, ForgetsWhoSaysNothingForFiveMinutes) {
  ControlWorld world;
  ControlSession session(make_peer(0, kDaemonUid), world.commands(), world.now());
  session.receive("{\"command\":\"ping\"}\n", world.now());
  ASSERT_TRUE(session.next_deadline());
  EXPECT_EQ(*session.next_deadline(), world.now().mono + ControlSession::kIdle);
  world.advance(ControlSession::kIdle - std::chrono::milliseconds(1));
  session.on_deadline(world.now());
  EXPECT_FALSE(session.is_over());
  world.advance(std::chrono::milliseconds(1));
  session.on_deadline(world.now());
  EXPECT_TRUE(session.is_over());
  EXPECT_FALSE(session.next_deadline());
}

TEST(ControlSession, TakesTheLongestRequestAndNoLongerOne) {
  ControlWorld world;
  const std::string ping = R"({"command":"ping"})";
  for (const size_t length : {ControlSession::kMaxRequest - 1, ControlSession::kMaxRequest}) {
    ControlSession session(make_peer(0, kDaemonUid), world.commands(), world.now());
    std::string line = ping + std::string(length - ping.size(), ' ');
    session.receive(line + "\n", world.now());
    const bool fits = length < ControlSession::kMaxRequest;  // with its newline
    EXPECT_EQ(session.is_over(), !fits) << length;
    EXPECT_NE(session.take_output().find(fits ? "\"ok\":true" : "\"exit\":64"), std::string::npos);
  }
}

TEST(ControlSession, AnswersWhatWasAskedBeforeTheEndAndNothingAfter) {
  ControlWorld world;
  ControlSession session(make_peer(0, kDaemonUid), world.commands(), world.now());
  session.receive("{\"command\":\"ping\"}\n{\"command\":\"pi", world.now());
  session.end_of_input(world.now());
  EXPECT_TRUE(session.is_over());
  EXPECT_EQ(session.take_output(),
            "{\"ok\":true,\"version\":\"" SASLATCH_VERSION "\",\"pid\":4711}\n");
  session.receive("ng\"}\n", world.now());
  EXPECT_EQ(session.take_output(), "");
}

}  // namespace
}  // namespace saslatch::control
