// Plays tests/dialogs/dovecot-master against MasterServer. Letters of these dialogs:
//   H:                         the handshake
//   E: USER 1 alice smtp       the next event: USER id name service, LIST id mask service
//   V: found 1 alice 1000 100 /home/alice; not_found 1; fail 1 reason; entry 1 alice; done 1 [fail]
#include <gtest/gtest.h>

#include <deque>
#include <sstream>

#include "protocol/dovecot/master_server.h"
#include "tests/dialogs/dialog.h"

namespace saslatch::dovecot {
namespace {

class MasterServerPeer : public dialog::Peer {
 public:
  void receive(std::string_view bytes) override {
    server_.receive(bytes);
    drain();
  }

  std::string take_output() override { return server_.take_output(); }
  std::string closed() override { return closed_; }
  std::string unexpected() override { return events_.empty() ? "" : events_.front(); }

  std::string act(char letter, std::string_view text) override {
    switch (letter) {
      case 'H':
        static_cast<void>(server_.take_output());
        receive("VERSION\t1\t1\n");
        return {};
      case 'E': {
        if (events_.empty()) return "no event";
        const std::string event = events_.front();
        events_.pop_front();
        return event == dialog::shown(text) ? "" : "the event is: " + event;
      }
      case 'V':
        return say(std::string(text));
      default:
        return "no such letter";
    }
  }

 private:
  void drain() {
    while (const auto event = server_.next()) {
      if (const auto* user = std::get_if<UserRequest>(&*event)) {
        note("USER", user->id, user->name, user->service);
      } else if (const auto* list = std::get_if<ListRequest>(&*event)) {
        note("LIST", list->id, list->mask, list->service);
      } else {
        closed_ = std::get<ProtocolError>(*event).reason;
      }
    }
  }

  void note(const char* command, uint32_t id, const std::string& what, const std::string& service) {
    events_.push_back(std::string(command) + " " + std::to_string(id) + " " + dialog::shown(what) +
                      (service.empty() ? "" : " " + dialog::shown(service)));
  }

  std::string say(const std::string& text) {
    std::istringstream words(text);
    std::string verb, first, home;
    uint32_t id = 0, uid = 0, gid = 0;
    words >> verb >> id >> first;
    if (verb == "found") {
      words >> uid >> gid >> home;
      server_.found(id, {first, uid, gid, home});
    } else if (verb == "not_found") {
      server_.not_found(id);
    } else if (verb == "fail") {
      server_.fail(id, first);
    } else if (verb == "entry") {
      server_.list_entry(id, first);
    } else if (verb == "done") {
      server_.list_done(id, first != "fail");
    } else {
      return "no such reply";
    }
    drain();
    return {};
  }

  MasterServer server_{17937};
  std::string closed_;
  std::deque<std::string> events_;
};

TEST(MasterServer, FollowsItsDialogs) {
  const auto dialogs = dialog::read(SASLATCH_TESTS_DIR "/dialogs/dovecot-master");
  ASSERT_TRUE(dialogs) << dialogs.error().message;
  for (const auto& dialog : *dialogs) {
    for (const auto arrival :
         {dialog::Arrival::kLines, dialog::Arrival::kBytes, dialog::Arrival::kTogether}) {
      MasterServerPeer peer;
      const std::string trouble = dialog::play(dialog, peer, arrival);
      EXPECT_EQ(trouble, "") << "arrival " << static_cast<int>(arrival);
    }
  }
}

}  // namespace
}  // namespace saslatch::dovecot
