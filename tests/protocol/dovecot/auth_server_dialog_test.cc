// Plays tests/dialogs/dovecot against AuthServer. Letters of these dialogs:
//   H: 2                       the handshake, with a client of minor 2
//   E: AUTH 1 PLAIN smtp …     the next event, as rendered below
//   V: ok 1 user=alice         what the owner says
#include <gtest/gtest.h>

#include <charconv>
#include <deque>
#include <utility>

#include "protocol/dovecot/auth_server.h"
#include "tests/dialogs/dialog.h"

namespace saslatch::dovecot {
namespace {

template <typename... Ts>
struct Visitor : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Visitor(Ts...) -> Visitor<Ts...>;

std::string quoted(const Secret& bytes) { return "'" + dialog::shown(bytes.reveal()) + "'"; }

std::string rendered(const AuthRequest& request) {
  std::string text = "AUTH " + std::to_string(request.id) + " " + request.mechanism;
  const auto word = [&](bool set, const char* name) { text += set ? std::string(" ") + name : ""; };
  const auto value = [&](const char* name, const std::string& is) {
    if (!is.empty()) text += std::string(" ") + name + "=" + dialog::shown(is);
  };
  const auto address = [&](const char* name, const std::optional<IpAddress>& is) {
    if (is) value(name, is->to_string());
  };
  const auto port = [&](const char* name, uint16_t is) {
    if (is != 0) value(name, std::to_string(is));
  };
  value("service", request.service);
  value("rip_text", request.rip_text);
  address("rip", request.rip);
  port("rport", request.rport);
  value("lip_text", request.lip_text);
  address("lip", request.lip);
  port("lport", request.lport);
  address("real_rip", request.real_rip);
  port("real_rport", request.real_rport);
  address("real_lip", request.real_lip);
  port("real_lport", request.real_lport);
  switch (request.secured) {
    case Secured::kNo:
      break;
    case Secured::kYes:
      text += " secured";
      break;
    case Secured::kTls:
      text += " secured=tls";
      break;
  }
  word(request.valid_client_cert, "valid-client-cert");
  word(request.no_penalty, "no-penalty");
  word(request.nologin, "nologin");
  word(request.final_resp_ok, "final-resp-ok");
  word(request.debug, "debug");
  value("session", request.session);
  value("local_name", request.local_name);
  value("client_id", request.client_id);
  value("cert_username", request.cert_username);
  if (request.initial_response) text += " resp=" + quoted(*request.initial_response);
  return text;
}

// The words after the first ones of a V: line: name=value or a bare name.
std::string_view value_of(std::string_view text, std::string_view name) {
  const size_t at = text.find(" " + std::string(name) + "=");
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + name.size() + 2);
  // reason= reaches to the end of the line, as it has spaces in it.
  return name == "reason" ? rest : rest.substr(0, rest.find(' '));
}

FailCode code_of(std::string_view word) {
  if (word == "temp_fail") return FailCode::kTempFail;
  if (word == "authz_fail") return FailCode::kAuthzFail;
  if (word == "user_disabled") return FailCode::kUserDisabled;
  if (word == "pass_expired") return FailCode::kPassExpired;
  return FailCode::kNone;
}

class AuthServerPeer : public dialog::Peer {
 public:
  void receive(std::string_view bytes) override {
    server_.receive(bytes);
    while (auto event = server_.next()) {
      std::visit(Visitor{[&](const AuthRequest& request) { events_.push_back(rendered(request)); },
                         [&](const ContinueRequest& request) {
                           events_.push_back("CONT " + std::to_string(request.id) + " " +
                                             quoted(request.response));
                         },
                         [&](const CancelRequest& request) {
                           events_.push_back("CANCEL " + std::to_string(request.id));
                         },
                         [&](const ProtocolError& error) { closed_ = error.reason; }},
                 *event);
    }
  }

  std::string take_output() override { return server_.take_output(); }
  std::string closed() override { return closed_; }
  std::string unexpected() override { return events_.empty() ? "" : events_.front(); }

  std::string act(char letter, std::string_view text) override {
    switch (letter) {
      case 'H':
        static_cast<void>(server_.take_output());
        receive("VERSION\t1\t" + std::string(text) + "\nCPID\t77\n");
        return {};
      case 'E': {
        if (events_.empty()) return "no event";
        const std::string event = events_.front();
        events_.pop_front();
        return event == dialog::shown(text) ? "" : "the event is: " + event;
      }
      case 'V':
        return say(text);
      default:
        return "no such letter";
    }
  }

 private:
  // ok|fail|challenge|expire ID …
  std::string say(std::string_view text) {
    const size_t space = text.find(' ');
    const std::string_view verb = text.substr(0, space);
    const std::string_view rest = text.substr(space + 1);
    uint32_t id = 0;
    const char* const end = rest.data() + rest.size();
    const std::string_view words{std::from_chars(rest.data(), end, id).ptr, end};
    std::optional<std::string_view> final_data;
    if (words.find(" final=") != std::string_view::npos) final_data = value_of(words, "final");
    if (verb == "challenge") {
      server_.challenge(id, words.empty() ? words : words.substr(1), std::exchange(user_, {}));
    } else if (verb == "name") {
      user_ = words.substr(1);  // goes with the next challenge
    } else if (verb == "expire") {
      server_.expire(id);
    } else if (verb == "ok") {
      server_.ok(id, {value_of(words, "user"), final_data});
    } else if (verb == "fail") {
      server_.fail(id, {value_of(words, "user"), code_of(value_of(words, "code")),
                        value_of(words, "reason"), final_data});
    } else {
      return "no such verdict";
    }
    return {};
  }

  AuthServer server_{
      ServerHandshake{.mechanisms = {{.name = "PLAIN", .plaintext = true},
                                     {.name = "LOGIN", .plaintext = true},
                                     {.name = "CRAM-MD5", .dictionary = true, .active = true}},
                      .spid = 17937,
                      .cuid = 1,
                      .cookie = {0xcd, 0xe9, 0xc0, 0x92, 0x18, 0x6b, 0x5f, 0x8b, 4, 0xea, 0xc6,
                                 0xca, 0xa9, 0x50, 0x6f, 0xc1}}};
  std::string user_;
  std::string closed_;
  std::deque<std::string> events_;
};

TEST(AuthServer, FollowsItsDialogs) {
  const auto dialogs = dialog::read(SASLATCH_TESTS_DIR "/dialogs/dovecot");
  ASSERT_TRUE(dialogs) << dialogs.error().message;
  for (const auto& dialog : *dialogs) {
    for (const auto arrival :
         {dialog::Arrival::kLines, dialog::Arrival::kBytes, dialog::Arrival::kTogether}) {
      AuthServerPeer peer;
      const std::string trouble = dialog::play(dialog, peer, arrival);
      EXPECT_EQ(trouble, "") << "arrival " << static_cast<int>(arrival);
    }
  }
}

}  // namespace
}  // namespace saslatch::dovecot
