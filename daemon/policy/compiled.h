#ifndef SASLATCH_DAEMON_POLICY_COMPILED_H_
#define SASLATCH_DAEMON_POLICY_COMPILED_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/policy/journal.h"
#include "daemon/policy/settings.h"
#include "daemon/policy/window.h"

namespace saslatch::policy {

struct CompiledRule {
  Rule rule;
  uint64_t id = 0;  // of name, count, by and prefixes: what must stay for its counters to stay
  Shape shape;
};

// Rules that look at the same subject, and so share its hash, its stripe's lock and the memory of
// its wrong passwords.
struct Group {
  By by = By::kUser;
  int ipv4_prefix = 0;
  int ipv6_prefix = 0;
  std::vector<uint16_t> rules;  // indices in Compiled::rules, at most kMaxRules
  bool remembers = false;       // counts failures, so repetitions matter

  // Two groups may share a subject, as an address and its /32 do, but not their memories.
  [[nodiscard]] uint64_t kind() const {
    return static_cast<uint64_t>(by) | static_cast<uint64_t>(ipv4_prefix) << 8 |
           static_cast<uint64_t>(ipv6_prefix) << 16;
  }
  [[nodiscard]] bool of_account() const { return by == By::kUser || by == By::kUserNetwork; }
};

// Settings ready for use; immutable and shared by all stripes and by tickets under way.
struct Compiled {
  std::shared_ptr<const Settings> settings;
  std::vector<CompiledRule> rules;  // enabled ones, in the order of the file
  // There is always one by user, perhaps without rules: it notes wrong passwords seen before.
  std::vector<Group> groups;

  static std::shared_ptr<const Compiled> make(Settings settings, const HashKey& key);
  // The index of the rule with this id; nullopt if it is gone.
  [[nodiscard]] std::optional<uint16_t> index_of(uint64_t id) const;
  [[nodiscard]] Network network_of(const IpAddress& address) const;
  [[nodiscard]] bool observes() const { return settings->mode == Mode::kObserve; }
};

// The address as a subject of `group`.
Network network_for(const Group& group, const IpAddress& address);

bool is_in(const std::vector<Network>& networks, const IpAddress& address);

// The keys of subjects. The domain is the first byte, so that `user` and `ip` never meet.
class Keys {
 public:
  explicit Keys(const HashKey& key) : key_(key) {}

  [[nodiscard]] uint64_t user(std::string_view name) const;
  // A lone address is the same subject as a network of all its bits.
  [[nodiscard]] uint64_t network(const Network& network) const;
  // `user` is a user() key; no network: the source `unknown`.
  [[nodiscard]] uint64_t user_network(uint64_t user, const std::optional<Network>& network) const;
  [[nodiscard]] uint64_t password(uint64_t fingerprint) const;
  [[nodiscard]] uint64_t everyone() const;
  [[nodiscard]] const HashKey& raw() const { return key_; }

 private:
  HashKey key_;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_COMPILED_H_
