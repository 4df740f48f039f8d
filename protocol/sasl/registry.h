#ifndef SASLATCH_PROTOCOL_SASL_REGISTRY_H_
#define SASLATCH_PROTOCOL_SASL_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "protocol/sasl/server_mechanism.h"

namespace saslatch::sasl {

// What a mechanism may need of the world to build its challenges; all of it can be replayed. The
// references are used during make() only.
struct ExchangeContext {
  Random& random;
  std::string_view hostname;  // ours, as an RFC 1123 name
  int64_t unix_time;          // seconds
};

// RFC 4422, section 5, point 2a. What an initial response means follows from it.
enum class FirstTurn {
  kClientFirst,  // the initial response is the first message; absent: an empty challenge asks for
                 // it
  kServerFirst,  // starts with a challenge; an initial response is ignored, as Dovecot does
  kVariable,     // a non-empty initial response is the first message; empty counts as absent
};

// All there is to know of a mechanism without running it. A value; the daemon makes MECH lines and
// exchanges of it, the plugin its Cyrus properties and checks.
struct MechanismInfo {
  std::string_view name;  // upper case, static storage

  // Dovecot's flags of the MECH line, by the same words.
  bool private_use = false;  // `private`
  bool anonymous = false;
  bool plaintext = false;
  bool dictionary = false;
  bool active = false;
  bool forward_secrecy = false;
  bool mutual_auth = false;

  FirstTurn first_turn = FirstTurn::kClientFirst;
  // True if the server learns the password itself, so that a fingerprint of it can be taken.
  bool shows_password = false;

  // Begins one exchange.
  std::unique_ptr<ServerMechanism> (*make)(const ExchangeContext& context) = nullptr;

  // Syntax of the client's message `index` (from 0; an ignored or absent initial response is not
  // counted), base64 removed: the very check that the mechanism makes, for who relays an exchange
  // and keeps nonsense off the wire. The error never quotes the message.
  Result<void> (*check_message)(size_t index, std::string_view message) = nullptr;
};

// The mechanisms that are offered, in the order of the configuration. A value, built by main();
// constant afterwards, hence safe from every thread.
class Registry {
 public:
  // Offers of `known` those that `offer` names, in that order and in any case of letters. Errors
  // name the wrong one and what is accepted: an unknown name, one given twice, none at all (Postfix
  // stops with a fatal error where no mechanism is left).
  static Result<Registry> create(std::span<const MechanismInfo> known,
                                 std::span<const std::string> offer);

  // The offered mechanism of that name, or nullptr. ASCII letters match in either case (Postfix
  // forwards the client's spelling); lives as long as this object.
  [[nodiscard]] const MechanismInfo* find(std::string_view name) const;

  [[nodiscard]] const std::vector<MechanismInfo>& offered() const { return offered_; }

 private:
  explicit Registry(std::vector<MechanismInfo> offered) : offered_(std::move(offered)) {}

  std::vector<MechanismInfo> offered_;
};

}  // namespace saslatch::sasl

#endif  // SASLATCH_PROTOCOL_SASL_REGISTRY_H_
