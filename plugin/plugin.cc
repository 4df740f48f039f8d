// The C interface of libsasl2: one exported function, and those it hands over by pointer.
//
// Nothing of C++ leaves this file: each function catches all, and returns a SASL_* code. A thread
// cannot be cancelled while it is in here (it would leave a lock behind and, by unwinding through
// the catch, end the process); the timeout bounds how long that is.

#include <pthread.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "plugin/cyrus_mechanism.h"
#include "plugin/exchange.h"
#include "plugin/options.h"
#include "plugin/relay.h"

namespace saslatch::plugin {
namespace {

class Plugin;

// A mechanism's glob_context.
struct Mechanism {
  Plugin* plugin;
  sasl::MechanismInfo info;
  std::string name;
};

class NoCancellation {
 public:
  NoCancellation() { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancellation() { ::pthread_setcancelstate(before_, nullptr); }
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

template <typename Call>
int guarded(Call call) noexcept {
  const NoCancellation no_cancellation;
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return SASL_NOMEM;
  } catch (...) {
    return SASL_FAIL;
  }
}

// What the library holds between sasl_server_init() and sasl_done(). libsasl2 frees mechanism by
// mechanism; with the last of them this goes.
class Plugin {
 public:
  explicit Plugin(Options options) : options_(std::move(options)), relay_(options_.socket) {
    mechanisms_.reserve(options_.mechanisms.size());
    for (const sasl::MechanismInfo& info : options_.mechanisms) {
      Mechanism& mechanism =
          mechanisms_.emplace_back(Mechanism{this, info, std::string(info.name)});
      table_.push_back(entry(mechanism));
    }
    in_use_ = mechanisms_.size();
  }

  [[nodiscard]] const Options& options() const { return options_; }
  Relay& relay() { return relay_; }
  std::vector<sasl_server_plug_t>& table() { return table_; }
  // Once in each process.
  void complain(const sasl_utils_t& utils) {
    if (has_complained_.exchange(true)) return;
    for (const std::string& complaint : options_.complaints) {
      utils.log(utils.conn, SASL_LOG_ERR, "saslatch: %s", complaint.c_str());
    }
  }
  // True once no mechanism is left.
  bool release() { return --in_use_ == 0; }

 private:
  static sasl_server_plug_t entry(Mechanism& mechanism);

  const Options options_;
  std::atomic<bool> has_complained_ = false;
  Relay relay_;
  std::vector<Mechanism> mechanisms_;  // not changed any more once the table points at it
  std::vector<sasl_server_plug_t> table_;
  size_t in_use_ = 0;
};

extern "C" {

int saslatch_mech_new(void* glob_context, sasl_server_params_t* server, const char*, unsigned,
                      void** conn_context) {
  return guarded([&] {
    const auto& mechanism = *static_cast<Mechanism*>(glob_context);
    Plugin& plugin = *mechanism.plugin;
    plugin.complain(*server->utils);
    *conn_context = new Exchange(mechanism.info, plugin.options(), plugin.relay(), *server);
    return SASL_OK;
  });
}

int saslatch_mech_step(void* conn_context, sasl_server_params_t*, const char* client_in,
                       unsigned client_in_length, const char** server_out,
                       unsigned* server_out_length, sasl_out_params_t* result) {
  *server_out = nullptr;
  *server_out_length = 0;
  return guarded([&] {
    std::optional<std::string_view> message;
    if (client_in != nullptr) message.emplace(client_in, client_in_length);
    std::optional<std::string_view> output;
    const int code = static_cast<Exchange*>(conn_context)->step(message, output, *result);
    if (output) {
      *server_out = output->data();
      *server_out_length = static_cast<unsigned>(output->size());
    }
    return code;
  });
}

// Called for each context once an error was returned, and again, with NULL, at the connection's
// end.
void saslatch_mech_dispose(void* conn_context, const sasl_utils_t*) {
  guarded([&] {
    delete static_cast<Exchange*>(conn_context);
    return SASL_OK;
  });
}

void saslatch_mech_free(void* glob_context, const sasl_utils_t*) {
  guarded([&] {
    Plugin* const plugin = static_cast<Mechanism*>(glob_context)->plugin;
    if (plugin->release()) delete plugin;
    return SASL_OK;
  });
}

}  // extern "C"

sasl_server_plug_t Plugin::entry(Mechanism& mechanism) {
  const CyrusProperties properties = cyrus_properties(mechanism.info);
  sasl_server_plug_t entry{};
  entry.mech_name = mechanism.name.c_str();
  entry.max_ssf = 0;  // no security layer: TLS is the application's
  entry.security_flags = properties.security_flags;
  entry.features = properties.features;
  entry.glob_context = &mechanism;
  entry.mech_new = saslatch_mech_new;
  entry.mech_step = saslatch_mech_step;
  entry.mech_dispose = saslatch_mech_dispose;
  entry.mech_free = saslatch_mech_free;
  return entry;
}

}  // namespace
}  // namespace saslatch::plugin

// Called once, before the application forks, changes its root and drops its rights: nothing is
// connected here, and a daemon that is not there takes no mechanism away.
extern "C" __attribute__((visibility("default"))) int sasl_server_plug_init(
    const sasl_utils_t* utils, int max_version, int* out_version, sasl_server_plug_t** plug_list,
    int* plug_count) {
  using saslatch::plugin::Plugin;
  if (utils == nullptr || out_version == nullptr || plug_list == nullptr || plug_count == nullptr) {
    return SASL_BADPARAM;
  }
  if (max_version < SASL_SERVER_PLUG_VERSION) return SASL_BADVERS;
  return saslatch::plugin::guarded([&] {
    auto plugin = std::make_unique<Plugin>(saslatch::plugin::read_options(*utils));
    *out_version = SASL_SERVER_PLUG_VERSION;
    *plug_list = plugin->table().data();
    *plug_count = static_cast<int>(plugin->table().size());
    static_cast<void>(plugin.release());  // libsasl2's from here on, until the last mech_free
    return SASL_OK;
  });
}
