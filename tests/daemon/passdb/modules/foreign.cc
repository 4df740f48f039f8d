// A driver of another version: nothing of it may be called.

#include <cstdlib>

#include "daemon/passdb/module.h"

namespace {

using namespace saslatch;
using namespace saslatch::passdb;

Result<std::shared_ptr<Passdb>> make(const PassdbSettings&, const PassdbParts&) { std::abort(); }

}  // namespace

extern "C" const PassdbModule* saslatch_passdb_module();
extern "C" const PassdbModule* saslatch_passdb_module() {
  static const PassdbModule module{"0.0.1/other", make};
  return &module;
}
