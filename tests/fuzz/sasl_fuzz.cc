// Whole exchanges with hostile clients and owners. Input: the mechanism (one byte), the verdict
// (one byte), then the client's messages, each a length byte (255 stands for 4096) and as many
// bytes; the first is the initial response if the mechanism byte is odd.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "protocol/sasl/mechanisms.h"
#include "protocol/sasl/rules.h"
#include "tests/protocol/sasl/fixed_random.h"

namespace {

using namespace saslatch::sasl;

void require(bool holds) {
  if (!holds) std::abort();
}

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::string_view message() {
    const size_t length = byte();
    const std::string_view taken = bytes_.substr(0, length == 255 ? 4096 : length);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

// What the owner relies on, whatever the client sends.
void check(const MechanismInfo& info, const Step& step) {
  if (const auto* ask = std::get_if<VerifyPassword>(&step)) {
    require(info.shows_password);
    require(is_valid_authcid(ask->authcid) && is_valid_password(ask->password.reveal()));
    require(ask->authzid.empty() || is_valid_authcid(ask->authzid));
    require(ask->authzid != ask->authcid);
  } else if (const auto* cram = std::get_if<VerifyCramMd5>(&step)) {
    require(is_valid_authcid(cram->authcid) && cram->digest.size() == 16);
  } else if (const auto* failed = std::get_if<Failure>(&step)) {
    require(failed->authcid.empty() || is_valid_authcid(failed->authcid));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input({reinterpret_cast<const char*>(data), size});
  const uint8_t choice = input.byte();
  const auto verdict = static_cast<Verdict>(input.byte() % 3);
  const auto mechanisms = known_mechanisms();
  const MechanismInfo& info = mechanisms[choice / 2 % mechanisms.size()];
  FixedRandom random(7);
  const auto mechanism = info.make({random, "host.example", 1});

  std::optional<std::string_view> initial;
  if (choice % 2 == 1) initial = input.message();
  Step step = mechanism->start(initial);
  check(info, step);
  const bool taken = initial && (info.first_turn == FirstTurn::kClientFirst ||
                                 (info.first_turn == FirstTurn::kVariable && !initial->empty()));
  size_t index = 0;
  // The relay's check and the exchange agree on every message.
  if (taken)
    require(info.check_message(index++, *initial).has_value() !=
            std::holds_alternative<Failure>(step));
  while (std::holds_alternative<Challenge>(step) && !input.empty()) {
    const std::string_view message = input.message();
    step = mechanism->respond(message);
    check(info, step);
    require(info.check_message(index++, message).has_value() !=
            std::holds_alternative<Failure>(step));
  }
  const bool asked =
      std::holds_alternative<VerifyPassword>(step) || std::holds_alternative<VerifyCramMd5>(step);
  step = mechanism->verdict(verdict);
  check(info, step);
  require(std::holds_alternative<Success>(step) == (asked && verdict == Verdict::kMatch));
  require(std::holds_alternative<Failure>(mechanism->respond("x")));
  return 0;
}
