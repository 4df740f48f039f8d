#include "protocol/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace saslatch {
namespace {

constexpr std::array<uint8_t, 12> kMappedV4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof terminated ||
      text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  *std::copy(text.begin(), text.end(), terminated) = '\0';

  IpAddress address;
  if (inet_pton(AF_INET, terminated, address.bytes_.data()) == 1) {
    address.v4_ = true;
    return address;
  }
  if (inet_pton(AF_INET6, terminated, address.bytes_.data()) != 1) return std::nullopt;
  return canonical(address);
}

std::optional<IpAddress> IpAddress::from_bytes(std::string_view bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress address;
  address.v4_ = bytes.size() == 4;
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(address.bytes_.data()));
  return canonical(address);
}

IpAddress IpAddress::canonical(const IpAddress& address) {
  if (address.v4_ || !std::equal(kMappedV4.begin(), kMappedV4.end(), address.bytes_.begin()))
    return address;
  IpAddress mapped;
  mapped.v4_ = true;
  std::copy_n(address.bytes_.begin() + kMappedV4.size(), 4, mapped.bytes_.begin());
  return mapped;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

IpAddress IpAddress::masked(int prefix) const {
  IpAddress result = *this;
  const int size = static_cast<int>(bytes().size());
  for (int i = 0; i < size; ++i) {
    const int kept = std::clamp(prefix - i * 8, 0, 8);
    result.bytes_[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xff00u >> kept);
  }
  return result;
}

Network::Network(const IpAddress& address, int prefix)
    : address_(address.masked(prefix)),
      prefix_(std::clamp(prefix, 0, address.is_v4() ? 32 : 128)) {}

Result<Network> Network::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const auto address = IpAddress::parse(host);
  const auto unusable = [&] {
    return failure("'" + std::string(text) + "' is no network; accepted: 192.0.2.0/24, " +
                   "2001:db8::/32 or a single address");
  };
  if (!address) return unusable();
  const bool written_as_v6 = host.find(':') != std::string_view::npos;
  const int longest = written_as_v6 ? 128 : 32;
  int prefix = longest;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, prefix);
    if (error != std::errc() || rest != end || prefix < 0 || prefix > longest) return unusable();
  }
  if (written_as_v6 && address->is_v4()) {
    if (prefix < kMappedBits) return unusable();
    prefix -= kMappedBits;
  }
  return Network(*address, prefix);
}

std::string Network::to_string() const {
  return address_.to_string() + "/" + std::to_string(prefix_);
}

}  // namespace saslatch
