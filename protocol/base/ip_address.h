#ifndef SASLATCH_PROTOCOL_BASE_IP_ADDRESS_H_
#define SASLATCH_PROTOCOL_BASE_IP_ADDRESS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace saslatch {

// An IPv4 or IPv6 address in its one canonical form: ::ffff:a.b.c.d is a.b.c.d, so that a client
// cannot have two identities. A value: ordered, hashable by its bytes.
class IpAddress {
 public:
  // The text forms of RFC 4291 (no zone, no brackets, no port) and dotted decimal without leading
  // zeros. nullopt for anything else, the empty string included.
  static std::optional<IpAddress> parse(std::string_view text);
  // What bytes() gives, back into an address: 4 or 16 bytes. nullopt for any other number.
  static std::optional<IpAddress> from_bytes(std::string_view bytes);

  [[nodiscard]] bool is_v4() const { return v4_; }
  // 4 or 16 bytes, network order, borrowed.
  [[nodiscard]] std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), v4_ ? 4u : 16u};
  }
  // RFC 5952 for IPv6.
  [[nodiscard]] std::string to_string() const;

  // The address with all bits behind the first `prefix` cleared; a prefix beyond the address's
  // length keeps it whole.
  [[nodiscard]] IpAddress masked(int prefix) const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  static IpAddress canonical(const IpAddress& address);

  bool v4_ = false;
  std::array<uint8_t, 16> bytes_{};
};

// A CIDR block. Bits behind the prefix are always zero.
class Network {
 public:
  // "192.0.2.0/24", "2001:db8::/32", or a lone address (all its bits count). A host part that is
  // not zero is masked away, as administrators write it so. ::ffff:0:0/96 and longer become IPv4.
  static Result<Network> parse(std::string_view text);
  Network(const IpAddress& address, int prefix);

  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] int prefix() const { return prefix_; }
  [[nodiscard]] bool contains(const IpAddress& address) const {
    return address.is_v4() == address_.is_v4() && address.masked(prefix_) == address_;
  }
  // Always with the prefix: "192.0.2.0/24", "192.0.2.1/32".
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const Network&, const Network&) = default;

 private:
  IpAddress address_;
  int prefix_;
};

}  // namespace saslatch

#endif  // SASLATCH_PROTOCOL_BASE_IP_ADDRESS_H_
