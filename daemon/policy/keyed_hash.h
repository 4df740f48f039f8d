#ifndef SASLATCH_DAEMON_POLICY_KEYED_HASH_H_
#define SASLATCH_DAEMON_POLICY_KEYED_HASH_H_

#include <cstdint>
#include <string_view>

#include "daemon/policy/journal.h"

namespace saslatch::policy {

// SipHash-2-4 (Aumasson and Bernstein, 2012) of the eight bytes of `domain`, little-endian,
// followed by `data`: a keyed pseudo-random function of short input that costs some 20 ns, where an
// HMAC through OpenSSL costs a microsecond and an attempt needs six.
uint64_t keyed_hash(const HashKey& key, uint64_t domain, std::string_view data);

// A key of a table from two keyed hashes. Not keyed itself: its input already is. Keeps the low
// byte of `a`, which chooses the stripe, so that a stored key finds its way home.
constexpr uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a ^ (b + 0x9e3779b97f4a7c15ull + (a << 6) + (a >> 2));
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
  x ^= x >> 33;
  return (x & ~uint64_t{0xff}) | (a & 0xff);
}

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_KEYED_HASH_H_
