#include "plugin/cyrus_mechanism.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

namespace saslatch::plugin {
namespace {

// Of two plugins with one mechanism libsasl2 takes the stronger; of equal ones that which readdir()
// happened to find first. The strength of the hash is what it compares last (from 2.1.28 on) and
// nothing else looks at, so this alone puts ours before the distribution's, in every load order.
// Above what Cyrus SASL's own mechanisms say of themselves (SCRAM-SHA-512: 512).
constexpr unsigned kStrength = SASL_SET_HASH_STRENGTH_BITS(1024u);

unsigned features_of(sasl::FirstTurn first_turn) {
  switch (first_turn) {
    case sasl::FirstTurn::kClientFirst:
      return SASL_FEAT_WANT_CLIENT_FIRST;
    case sasl::FirstTurn::kServerFirst:
      return SASL_FEAT_SERVER_FIRST;
    case sasl::FirstTurn::kVariable:
      break;
  }
  return 0;
}

}  // namespace

CyrusProperties cyrus_properties(const sasl::MechanismInfo& mechanism) {
  unsigned flags = kStrength;
  if (!mechanism.anonymous) flags |= SASL_SEC_NOANONYMOUS;
  if (!mechanism.plaintext) {
    flags |= SASL_SEC_NOPLAINTEXT;
    // Who reads along with a plaintext mechanism needs neither to meddle nor to guess.
    if (!mechanism.active) flags |= SASL_SEC_NOACTIVE;
    if (!mechanism.dictionary) flags |= SASL_SEC_NODICTIONARY;
  }
  if (mechanism.forward_secrecy) flags |= SASL_SEC_FORWARD_SECRECY;
  if (mechanism.mutual_auth) flags |= SASL_SEC_MUTUAL_AUTH;
  if (mechanism.shows_password) flags |= SASL_SEC_PASS_CREDENTIALS;
  return {flags, features_of(mechanism.first_turn)};
}

}  // namespace saslatch::plugin
