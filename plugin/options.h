#ifndef SASLATCH_PLUGIN_OPTIONS_H_
#define SASLATCH_PLUGIN_OPTIONS_H_

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <chrono>
#include <string>
#include <vector>

#include "protocol/sasl/registry.h"

namespace saslatch::plugin {

inline constexpr const char* kDefaultSocket = "/run/saslatch/auth";

// Below Postfix's patience with anything else (10 s), above the daemon's max-hold (4.5 s).
inline constexpr std::chrono::milliseconds kDefaultTimeout{8000};
inline constexpr std::chrono::milliseconds kLeastTimeout{100};
inline constexpr std::chrono::milliseconds kMostTimeout{60'000};

// The options of the application's libsasl2 configuration; saslatch-plugin(7) has them for people.
// A value; constant once read.
struct Options {
  std::string socket = kDefaultSocket;
  std::chrono::milliseconds timeout = kDefaultTimeout;
  std::vector<sasl::MechanismInfo> mechanisms;  // never empty
  std::string service;                          // empty: the application's own name of it
  bool assume_tls = false;
  // What was wrong, with what is accepted, one sentence each. For the log of the first login: when
  // options are read, libsasl2 does not know yet where the application logs.
  std::vector<std::string> complaints;
};

// Reads them by the application's `getopt`. A default stands in the place of what is wrong; an
// application is never stopped by a mistake in here.
Options read_options(const sasl_utils_t& utils);

}  // namespace saslatch::plugin

#endif  // SASLATCH_PLUGIN_OPTIONS_H_
