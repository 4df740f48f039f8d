#include "daemon/passdb/drivers/module_loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace saslatch::passdb {

std::string installed_module_dir() { return SASLATCH_PASSDB_MODULE_DIR; }

Result<const PassdbModule*> load_passdb_module(const std::string& directory,
                                               std::string_view name) {
  const std::string path =
      (directory.empty() ? installed_module_dir() : directory) + "/" + std::string(name) + ".so";
  const std::string package = "the package saslatch-" + std::string(name);
  if (access(path.c_str(), R_OK) != 0) {
    if (errno == ENOENT) return failure("its module " + path + " is not there; install " + package);
    return failure("its module " + path +
                   " cannot be read: " + std::generic_category().message(errno));
  }
  // All symbols now: one that is missing must not be noticed amid a login.
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* const why = dlerror();
    return failure("its module cannot be loaded: " + std::string(why == nullptr ? path : why) +
                   "; install " + package + " again, with what it depends on");
  }
  const auto entry = reinterpret_cast<PassdbModuleEntry>(dlsym(handle, kPassdbModuleEntry));
  if (entry == nullptr) {
    return failure("its module " + path + " is no passdb module of saslatch; install " + package +
                   " again");
  }
  const PassdbModule* const module = entry();
  if (std::string_view(module->interface) != SASLATCH_PASSDB_MODULE_INTERFACE) {
    return failure("its module " + path + " is of another version of saslatch (" +
                   module->interface + ", this is " + SASLATCH_PASSDB_MODULE_INTERFACE +
                   "); install " + package + " of the same version, and restart saslatchd");
  }
  return module;
}

}  // namespace saslatch::passdb
