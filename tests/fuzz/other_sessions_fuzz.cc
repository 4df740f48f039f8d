// Whole sessions of the protocols beside auth: by the first byte saslauthd, userdb or metrics. The
// rest is fed in pieces that end at 0xff; the byte behind one says what happens then. Whatever
// comes, nothing is unfinished when time has run out, and no answer is more than was asked for.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/session/master_session.h"
#include "daemon/session/metrics_session.h"
#include "daemon/session/saslauthd_session.h"
#include "protocol/dovecot/master_client.h"
#include "protocol/saslauthd/reply.h"
#include "tests/daemon/session/world.h"

namespace {

using namespace saslatch;
using saslatch::testing::LetterBox;
using saslatch::testing::World;

void require(bool holds) {
  if (!holds) std::abort();
}

// Plays `input` to its end and lets 200 s pass; what was written.
std::string play(World& world, LetterBox& box, Session& session, std::string_view input) {
  std::string output = session.take_output();
  while (!input.empty() && !session.is_over()) {
    const size_t cut = std::min(input.find('\xff'), input.size());
    session.receive(input.substr(0, cut), world.now);
    box.empty_into(world.now);
    input.remove_prefix(std::min(cut + 1, input.size()));
    if (input.empty()) break;
    const auto what = static_cast<uint8_t>(input.front());
    input.remove_prefix(1);
    if (what == 'w') {
      world.workers.run_all();
    } else if (what == 'o') {
      world.workers.overload_all();
    } else if (what == 'd') {
      world.passdb->set_down(true);
    } else if (what == 'e') {
      session.end_of_input(world.now);
    } else if (what == 'r') {
      session.drain(world.now);
    } else {
      world.advance(std::chrono::milliseconds(what));
      session.on_deadline(world.now);
    }
    box.empty_into(world.now);
    output += session.take_output();
  }
  session.end_of_input(world.now);
  for (int i = 0; i < 40; ++i) {
    world.workers.run_all();
    box.empty_into(world.now);
    world.advance(std::chrono::seconds(5));
    session.on_deadline(world.now);
    box.empty_into(world.now);
  }
  require(session.is_over() && !session.next_deadline());
  return output + session.take_output();
}

void saslauthd_session(World& world, std::string_view input) {
  const auto box = std::make_shared<LetterBox>();
  const auto session = world.make<SaslauthdSession>(box, input.size() % 2 == 0 ? "clear" : "smtp");
  const std::string output = play(world, *box, *session, input);
  box->session = nullptr;
  if (output.empty()) return;
  saslauthd::ReplyParser parser;
  const auto reply = parser.receive(output);
  require(reply.has_value() && reply->has_value());
  const bool is_let_in = std::any_of(world.audited.begin(), world.audited.end(),
                                     [](const auto& event) { return event.starts_with("ok "); });
  require(!(*reply)->ok || is_let_in);
}

void userdb_session(World& world, std::string_view input) {
  const auto box = std::make_shared<LetterBox>();
  const bool restricted = input.size() % 2 == 0;  // to uid 1000, which nobody has
  auto session = std::make_unique<MasterSession>(
      SessionParts{world.services, world.holds, world, world.settings, box, "userdb", 1, 4711},
      restricted ? std::optional<uint32_t>(1000) : std::nullopt);
  box->session = session.get();
  const std::string output = play(world, *box, *session, input);
  box->session = nullptr;
  dovecot::MasterClient client;
  client.receive(output);
  while (const auto reply = client.next()) {
    require(!std::holds_alternative<dovecot::ProtocolError>(*reply));
    require(!restricted || (!std::holds_alternative<dovecot::UserFound>(*reply) &&
                            !std::holds_alternative<dovecot::ListEntry>(*reply)));
  }
  require(output.find("{PLAIN}") == std::string::npos);
}

void metrics_session(World& world, std::string_view input) {
  LetterBox box;
  MetricsSession session(world.metrics, world.now);
  box.session = &session;
  const std::string output = play(world, box, session, input);
  if (output.empty()) return;
  require(output.starts_with("HTTP/1.1 ") && output.find("\r\n\r\n") != std::string::npos);
  require(output.find("Connection: close") != std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  policy::Settings policy = saslatch::testing::three_failures_a_minute();
  policy.max_subjects = 1000;
  World world(policy);
  world.passdb->add("alice", "{PLAIN}secret");
  world.passdb->add("alice@example.org", "{PLAIN}secret");
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
    case 's':
      saslauthd_session(world, input);
      break;
    case 'u':
      userdb_session(world, input);
      break;
    default:
      metrics_session(world, input);
  }
  return 0;
}
