// A whole session of the auth protocol, fed in pieces whose sizes the input chooses, with time
// passing between them. What must hold whatever a client sends: no crash, an answer only to what
// was asked, and nothing left over when time has run out.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/session/dovecot_session.h"
#include "tests/daemon/session/world.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using saslatch::DovecotSession;
  using saslatch::testing::LetterBox;
  using saslatch::testing::World;

  saslatch::policy::Settings policy = saslatch::testing::three_failures_a_minute();
  policy.max_subjects = 1000;
  World world(policy);
  world.passdb->add("alice", "{PLAIN}secret");
  const auto box = std::make_shared<LetterBox>();
  const auto session = world.make<DovecotSession>(box, size % 2 == 0 ? "clear" : "replying");
  (void)session->take_output();

  std::string_view input(reinterpret_cast<const char*>(data), size);
  while (!input.empty() && !session->is_over()) {
    // Up to the next byte 0xff in one piece; the byte behind it says what happens then.
    const size_t cut = input.find('\xff');
    session->receive(input.substr(0, cut), world.now);
    box->empty_into(world.now);
    if (cut == std::string_view::npos) break;
    input.remove_prefix(cut + 1);
    if (input.empty()) break;
    const auto what = static_cast<uint8_t>(input.front());
    input.remove_prefix(1);
    if (what == 'w') {
      world.workers.run_all();
    } else if (what == 'o') {
      world.workers.overload_all();
    } else if (what == 'd') {
      world.passdb->set_down(true);
    } else if (what == 'b') {
      world.passdb->set_blocks(true);
    } else if (what == 'e') {
      session->end_of_input(world.now);
    } else {
      world.advance(std::chrono::milliseconds(what * 10));
      session->on_deadline(world.now);
    }
    box->empty_into(world.now);
    (void)session->take_output();
  }
  // 150 s later nothing can be unfinished.
  session->end_of_input(world.now);
  for (int i = 0; i < 40; ++i) {
    world.workers.run_all();
    box->empty_into(world.now);
    world.advance(std::chrono::seconds(5));
    session->on_deadline(world.now);
    box->empty_into(world.now);
  }
  if (!session->is_over() || session->next_deadline()) std::abort();
  return 0;
}
