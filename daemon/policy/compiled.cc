#include "daemon/policy/compiled.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "daemon/policy/keyed_hash.h"

namespace saslatch::policy {
namespace {

enum Domain : uint64_t { kUserName = 1, kCidr, kPair, kPasswordKey, kAll, kRuleId };

constexpr uint64_t domain(Domain kind, int prefix) {
  return kind | static_cast<uint64_t>(prefix) << 8;
}

uint64_t rule_id(const Rule& rule, int ipv4_prefix, int ipv6_prefix, const HashKey& key) {
  std::string text = rule.name;
  text += '\0';
  text += to_string(rule.count);
  text += '\0';
  text += to_string(rule.by);
  if (rule.by == By::kNetwork || rule.by == By::kUserNetwork)
    text += '\0' + std::to_string(ipv4_prefix) + '/' + std::to_string(ipv6_prefix);
  const uint64_t id = keyed_hash(key, kRuleId, text);
  return id == 0 ? 1 : id;  // 0 is the administrator
}

bool counts_repetitions_once(Count count) {
  return count == Count::kFailures || count == Count::kUnknownUsers;
}

}  // namespace

std::shared_ptr<const Compiled> Compiled::make(Settings settings, const HashKey& key) {
  auto compiled = std::make_shared<Compiled>();
  const auto shared = std::make_shared<const Settings>(std::move(settings));
  compiled->settings = shared;
  const auto group_of = [&](By by, int v4, int v6) -> Group& {
    const bool by_network = by == By::kNetwork || by == By::kUserNetwork;
    if (!by_network) v4 = 32, v6 = 128;
    for (Group& group : compiled->groups)
      if (group.by == by && group.ipv4_prefix == v4 && group.ipv6_prefix == v6) return group;
    compiled->groups.push_back({by, v4, v6, {}, false});
    return compiled->groups.back();
  };
  for (const Rule& rule : shared->rules) {
    if (!rule.enabled || compiled->rules.size() == kMaxRules) continue;
    const int v4 = rule.ipv4_prefix.value_or(shared->ipv4_prefix);
    const int v6 = rule.ipv6_prefix.value_or(shared->ipv6_prefix);
    Group& group = group_of(rule.by, v4, v6);
    group.rules.push_back(static_cast<uint16_t>(compiled->rules.size()));
    group.remembers |= counts_repetitions_once(rule.count);
    compiled->rules.push_back({rule, rule_id(rule, v4, v6, key), Shape::of(rule)});
  }
  Group& users = group_of(By::kUser, 0, 0);
  users.remembers = true;
  return compiled;
}

std::optional<uint16_t> Compiled::index_of(uint64_t id) const {
  for (size_t i = 0; i < rules.size(); ++i)
    if (rules[i].id == id) return static_cast<uint16_t>(i);
  return std::nullopt;
}

Network Compiled::network_of(const IpAddress& address) const {
  return {address, address.is_v4() ? settings->ipv4_prefix : settings->ipv6_prefix};
}

Network network_for(const Group& group, const IpAddress& address) {
  return {address, address.is_v4() ? group.ipv4_prefix : group.ipv6_prefix};
}

bool is_in(const std::vector<Network>& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

uint64_t Keys::user(std::string_view name) const { return keyed_hash(key_, kUserName, name); }

uint64_t Keys::network(const Network& network) const {
  return keyed_hash(key_, domain(kCidr, network.prefix()), network.address().bytes());
}

uint64_t Keys::user_network(uint64_t user, const std::optional<Network>& network) const {
  std::array<char, 8 + 16> data{};
  std::memcpy(data.data(), &user, sizeof user);
  const std::string_view bytes = network ? network->address().bytes() : std::string_view();
  std::copy(bytes.begin(), bytes.end(), data.begin() + 8);
  // The lengths differ for IPv4, IPv6 and `unknown`.
  return keyed_hash(key_, domain(kPair, network ? network->prefix() : 0),
                    {data.data(), 8 + bytes.size()});
}

uint64_t Keys::password(uint64_t fingerprint) const {
  return keyed_hash(key_, kPasswordKey,
                    {reinterpret_cast<const char*>(&fingerprint), sizeof fingerprint});
}

uint64_t Keys::everyone() const { return keyed_hash(key_, kAll, {}); }

}  // namespace saslatch::policy
