// saslatch-sasl-probe: what libsasl2 makes of an application's configuration and plugins, for
// `saslatch doctor` and for whoever wants to know. It loads the plugins as the application does and
// connects to nobody.

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "plugin/options.h"

namespace saslatch::plugin {
namespace {

constexpr int kExitUsage = 64, kExitUnavailable = 69;  // sysexits.h

constexpr const char* kUsage =
    "usage: saslatch-sasl-probe APPLICATION [CONFIG-PATH [PLUGIN-PATH]]\n"
    "\n"
    "Prints what libsasl2 finds for APPLICATION (smtpd, slapd, Sendmail): lines of words with a\n"
    "TAB between them.\n"
    "  provider MECHANISM LIBRARY   in libsasl2's order: the first of a mechanism is used\n"
    "  option NAME VALUE            saslatch's options as they are in force, and mech_list\n"
    "  complaint TEXT               an option that is not accepted\n"
    "The paths are lists of folders with a colon between them; by default those of libsasl2.\n";

// What libsasl2's callbacks want to be pointed at.
struct Paths {
  std::string config, plugins;
};

using Callback = int (*)();

template <typename Function>
Callback callback(Function* function) {
  return reinterpret_cast<Callback>(reinterpret_cast<void (*)()>(function));
}

int give_path(void* text, const char** path) {
  *path = static_cast<const std::string*>(text)->c_str();
  return SASL_OK;
}

int give_config_path(void* text, char** path) {
  *path = ::strdup(static_cast<const std::string*>(text)->c_str());  // libsasl2 frees it
  return *path == nullptr ? SASL_NOMEM : SASL_OK;
}

int ignore_log(void*, int, const char*) { return SASL_OK; }

void print_provider(server_sasl_mechanism_t* mechanism, sasl_info_callback_stage_t stage, void*) {
  if (stage != SASL_INFO_LIST_MECH) return;
  std::printf("provider\t%s\t%s\n", mechanism->plug->mech_name, mechanism->plugname);
}

void print_option(const char* name, const std::string& value) {
  std::printf("option\t%s\t%s\n", name, value.c_str());
}

// A plugin without a mechanism: being asked for one is how a program gets at the options.
int print_options(const sasl_utils_t* utils, int, int* version, sasl_server_plug_t** list,
                  int* count) {
  *version = SASL_SERVER_PLUG_VERSION;
  *list = nullptr;
  *count = 0;
  const Options options = read_options(*utils);
  print_option("saslatch_socket", options.socket);
  print_option("saslatch_timeout", std::to_string(options.timeout.count()) + "ms");
  print_option("saslatch_service", options.service);
  print_option("saslatch_assume_tls", options.assume_tls ? "yes" : "no");
  const char* list_of_mechanisms = nullptr;
  utils->getopt(utils->getopt_context, nullptr, "mech_list", &list_of_mechanisms, nullptr);
  print_option("mech_list", list_of_mechanisms == nullptr ? "" : list_of_mechanisms);
  for (const std::string& complaint : options.complaints) {
    std::printf("complaint\t%s\n", complaint.c_str());
  }
  return SASL_OK;
}

int run(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fputs(kUsage, stderr);
    return kExitUsage;
  }
  if (std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return EXIT_SUCCESS;
  }
  Paths paths{argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : ""};
  sasl_callback_t callbacks[4] = {{SASL_CB_LOG, callback(ignore_log), nullptr}};
  size_t used = 1;
  if (!paths.config.empty()) {
    callbacks[used++] = {SASL_CB_GETCONFPATH, callback(give_config_path), &paths.config};
  }
  if (!paths.plugins.empty()) {
    callbacks[used++] = {SASL_CB_GETPATH, callback(give_path), &paths.plugins};
  }
  callbacks[used] = {SASL_CB_LIST_END, nullptr, nullptr};
  const int code = sasl_server_init(callbacks, argv[1]);
  if (code != SASL_OK) {
    std::fprintf(stderr, "saslatch-sasl-probe: libsasl2 does not start: %s\n",
                 sasl_errstring(code, nullptr, nullptr));
    return kExitUnavailable;
  }
  sasl_server_plugin_info(nullptr, print_provider, nullptr);
  sasl_server_add_plugin("probe", print_options);
  sasl_done();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace saslatch::plugin

int main(int argc, char** argv) { return saslatch::plugin::run(argc, argv); }
