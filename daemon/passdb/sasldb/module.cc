// driver = sasldb as a loadable module.

#include "daemon/passdb/module.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "daemon/passdb/sasldb/sasldb.h"

namespace {

using namespace saslatch;
using namespace saslatch::passdb;

// Where saslpasswd2(8) puts a user whose realm it is not told.
std::string own_hostname() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

Result<std::shared_ptr<Passdb>> make(const PassdbSettings& settings, const PassdbParts& parts) {
  return std::make_shared<SasldbPassdb>(
      SasldbOptions{settings.name, settings.path,
                    settings.realm.empty() ? own_hostname() : settings.realm, parts.lowercase},
      parts.log, parts.clock);
}

}  // namespace

SASLATCH_PASSDB_MODULE(make)
