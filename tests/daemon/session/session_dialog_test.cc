// Plays tests/dialogs/session/*.dialog against whole sessions. Besides C:, c:, S: and X: of
// dialog.h, a dialog has
//
//   L: smtp            the listener (smtp, replying, clear); before anything else
//   T: 1500            that many milliseconds pass
//   W: 2               two checks wait for the workers, or one waits twice: for the passdb and
//                      then for its slow hash; they run
//   O: 2               two checks wait for the workers; they are turned away as overload
//   A: ok user=alice mech=PLAIN       the next audit event
//   P: down | up | blocks             the passdb
//   D: hangs | works   the disk of the policy's journal
//   H: on | off        other hosts count with this one from here on; off: they cannot be asked
//   H: free | known | locked 60000 | full | silent     what they say to the oldest question; known:
//                      free, and they have seen this wrong password
//   N: events=1 releases=1 gives-back=0      what they are told next
//   E:                 the client closes its writing side
//   R:                 the daemon stops: drain
//
// Audit events that no A: line expects are a failure, and so are checks left over.

#include <gtest/gtest.h>

#include <charconv>
#include <filesystem>

#include "daemon/session/dovecot_session.h"
#include "tests/daemon/session/world.h"
#include "tests/dialogs/dialog.h"

namespace saslatch::testing {
namespace {

class SessionPeer final : public dialog::Peer {
 public:
  SessionPeer() : world_(three_failures_a_minute()) {
    world_.passdb->add("alice", "{PLAIN}secret");
    world_.passdb->add("bob", "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=");  // secret
    world_.passdb->add("dora", "{PLAIN}secret");
    world_.passdb->disable("dora");
    world_.passdb->add_alias("ally", "alice");
    connect("smtp");
  }

  void receive(std::string_view bytes) override {
    session_->receive(bytes, world_.now);
    after();
  }
  std::string take_output() override { return session_->take_output(); }
  std::string closed() override { return session_->is_over() ? "closed" : ""; }

  std::string act(char letter, std::string_view text) override {
    switch (letter) {
      case 'L':
        connect(std::string(text));
        return {};
      case 'T':
        pass_time(number(text));
        return {};
      case 'W':
        return count(world_.workers.run_all(), text);
      case 'O':
        return count(world_.workers.overload_all(), text);
      case 'A':
        return audit(text);
      case 'P':
        world_.passdb->set_down(text == "down");
        world_.passdb->set_blocks(text == "blocks");
        return {};
      case 'D':
        world_.set_disk_hangs(text == "hangs");
        after();
        return {};
      case 'H':
        return others(text);
      case 'N':
        if (world_.others.told.empty()) return "nothing is told";
        if (const std::string told = world_.others.told.front(); told != text) return told;
        world_.others.told.pop_front();
        return {};
      case 'E':
        session_->end_of_input(world_.now);
        after();
        return {};
      case 'R':
        session_->drain(world_.now);
        after();
        return {};
      default:
        return "unknown letter";
    }
  }

  std::string unexpected() override {
    if (!world_.others.told.empty()) return "told: " + world_.others.told.front();
    return world_.audited.empty() ? "" : "audit: " + world_.audited.front();
  }

 private:
  void connect(const std::string& listener) {
    box_->session = nullptr;
    box_ = std::make_shared<LetterBox>();
    session_ = world_.make<DovecotSession>(box_, listener);
    // Every dialog would begin with the same handshake; the protocol's own dialogs hold it.
    (void)session_->take_output();
    session_->receive("VERSION\t1\t2\nCPID\t99\n", world_.now);
  }

  void after() { box_->empty_into(world_.now); }

  // In steps, so that no deadline is served later than it fell due.
  void pass_time(int milliseconds) {
    const Mono end = world_.now.mono + std::chrono::milliseconds(milliseconds);
    while (world_.now.mono < end) {
      Mono next = end;
      if (const auto deadline = session_->next_deadline()) next = std::min(next, *deadline);
      next = std::max(next, world_.now.mono);
      world_.advance(std::chrono::ceil<std::chrono::milliseconds>(next - world_.now.mono));
      session_->on_deadline(world_.now);
      after();
    }
  }

  std::string others(std::string_view text) {
    using Verdict = policy::SharedReply::Verdict;
    policy::SharedReply reply;
    if (text == "on" || text == "off") {
      if (world_.services.sharing == nullptr) world_.share();
      world_.others.usable = text == "on";
      return {};
    }
    if (text == "free" || text == "known") {
      reply.verdict = Verdict::kFree;
      reply.repeats = text == "known" ? 1 : 0;
    } else if (text == "full") {
      reply.verdict = Verdict::kFull;
    } else if (text.substr(0, 7) == "locked ") {
      reply.verdict = Verdict::kStruck;
      reply.struck.left = std::chrono::milliseconds(number(text.substr(7)));
    } else if (text != "silent") {
      return "unknown words";
    }
    if (!world_.others.answer(reply)) return "nothing was asked";
    after();
    return {};
  }

  std::string count(int ran, std::string_view text) {
    after();
    return ran == number(text) ? "" : "checks that waited: " + std::to_string(ran);
  }

  std::string audit(std::string_view text) {
    if (world_.audited.empty()) return "no audit event";
    const std::string event = std::move(world_.audited.front());
    world_.audited.pop_front();
    return event == text ? "" : "audit: " + event;
  }

  static int number(std::string_view text) {
    int value = -1;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  World world_;
  std::shared_ptr<LetterBox> box_ = std::make_shared<LetterBox>();
  std::unique_ptr<DovecotSession> session_;
};

TEST(DovecotSession, FollowsItsDialogs) {
  const auto dialogs =
      dialog::read(std::filesystem::path(SASLATCH_TESTS_DIR) / "dialogs" / "session");
  ASSERT_TRUE(dialogs) << dialogs.error().message;
  ASSERT_FALSE(dialogs->empty());
  for (const dialog::Dialog& dialog : *dialogs) {
    for (const auto arrival :
         {dialog::Arrival::kLines, dialog::Arrival::kBytes, dialog::Arrival::kTogether}) {
      SessionPeer peer;
      EXPECT_EQ(dialog::play(dialog, peer, arrival), "") << dialog.name;
    }
  }
}

}  // namespace
}  // namespace saslatch::testing
