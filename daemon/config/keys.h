#ifndef SASLATCH_DAEMON_CONFIG_KEYS_H_
#define SASLATCH_DAEMON_CONFIG_KEYS_H_

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/config/values.h"

namespace saslatch::config {

// What the manual says of a key. This table is the only list of keys there is: parsing, the
// messages of --check, --dump-config and saslatch.conf(5) all come from it.
struct KeyInfo {
  std::string name;
  std::string accepts;        // "a number from 0 to 256"
  std::string default_value;  // as it stands in a file; empty where nothing is the default
  std::string nothing;        // what an empty value stands for, if it stands for something
  bool required = false;      // has no default
  std::string help;           // what it means, in sentences
  // The values of `driver` beside which it may stand; empty: it is no matter of the driver.
  std::vector<std::string> drivers;

  [[nodiscard]] bool is_for(std::string_view driver) const;
};

// A key of a section that is kept in a `T`. set() leaves its target alone if it rejects the value.
template <typename T>
struct Key : KeyInfo {
  std::function<tl::expected<void, Reason>(T&, std::string_view)> set;
  std::function<std::string(const T&)> get;
};

// In the order of the manual.
std::vector<Key<Config>> daemon_keys();
std::vector<Key<Config>> mechanisms_keys();
std::vector<Key<Config>> usernames_keys();
std::vector<Key<Config>> codes_keys();
std::vector<Key<Config>> policy_keys();
std::vector<Key<Config>> state_keys();
std::vector<Key<ListenConfig>> listen_keys();
std::vector<Key<PassdbConfig>> passdb_keys();
std::vector<Key<policy::Rule>> rule_keys();

// The same, for those who only read it.
struct SectionInfo {
  std::string name;  // "daemon", "listen"
  bool named;        // written [listen.NAME], any number of times
  std::string help;  // what the section is for
  std::vector<KeyInfo> keys;
};
std::vector<SectionInfo> key_table();

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_KEYS_H_
