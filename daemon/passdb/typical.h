#ifndef SASLATCH_DAEMON_PASSDB_TYPICAL_H_
#define SASLATCH_DAEMON_PASSDB_TYPICAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "daemon/passdb/passdb.h"
#include "protocol/base/random.h"

namespace saslatch::passdb {

// Finds out what the check of a password usually costs, from a sample of stored ones. They are
// grouped by scheme and parameters; the largest group is typical. Keeps no hash.
class TypicalTally {
 public:
  // More than this says nothing new.
  static constexpr uint64_t kSample = 256;

  // `stored` is "{SCHEME}data" or of `default_scheme`. One that does not parse is not counted.
  void add(std::string_view stored, std::string_view default_scheme, Random& random);
  // For passdbs of `accounts` accounts in all; empty if nothing was counted.
  [[nodiscard]] TypicalCredential result(uint64_t accounts) const;

 private:
  struct Group {
    uint64_t count = 0;
    std::string dummy;
  };
  std::map<std::string, Group> groups_;  // by cost
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_TYPICAL_H_
