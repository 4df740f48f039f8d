#ifndef SASLATCH_DAEMON_PASSDB_DRIVERS_MAKE_PASSDB_H_
#define SASLATCH_DAEMON_PASSDB_DRIVERS_MAKE_PASSDB_H_

#include <memory>
#include <string>

#include "daemon/passdb/module.h"
#include "daemon/passdb/passdb.h"
#include "protocol/base/result.h"

namespace saslatch::passdb {

// Where on this machine a driver finds what it is made of.
struct PassdbPlaces {
  std::string state_dir;
  std::string module_dir;  // empty: where this installation has them
};

// Makes the passdb of a section, of whichever driver, by its module where it is in one. Opens and
// reads nothing else: EmbeddedPassdb::prepare() and PasswdFilePassdb::refresh() are the caller's.
// The error, for an administrator, is of a module that cannot be had.
[[nodiscard]] Result<std::shared_ptr<Passdb>> make_passdb(const PassdbSettings& settings,
                                                          const PassdbPlaces& places,
                                                          const PassdbParts& parts);

// Stands in for a passdb that could not be made: down, for `reason`, until it is made anew.
[[nodiscard]] std::shared_ptr<Passdb> make_missing_passdb(const PassdbSettings& settings,
                                                          std::string reason);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_DRIVERS_MAKE_PASSDB_H_
