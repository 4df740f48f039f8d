#ifndef SASLATCH_DAEMON_POLICY_SUBJECT_H_
#define SASLATCH_DAEMON_POLICY_SUBJECT_H_

#include <optional>
#include <string>
#include <string_view>

#include "daemon/policy/rule.h"
#include "protocol/base/ip_address.h"
#include "protocol/base/result.h"

namespace saslatch::policy {

// Whom something is counted for or locked, as administrators write it:
//   user:NAME  ip:ADDR  network:CIDR  user+network:NAME,CIDR  user+network:NAME,unknown
//   everyone  password
// A network of one address is that address. `unknown` is the shared source of all attempts without
// a usable rip. `password` stands for every locked password at once, as none is ever shown.
struct Subject {
  By by = By::kUser;
  std::string user;                // kUser, kUserNetwork
  std::optional<Network> network;  // kIp (all bits), kNetwork, kUserNetwork; absent: `unknown`

  // Names are taken as they are: the caller normalises them first.
  static Result<Subject> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_SUBJECT_H_
