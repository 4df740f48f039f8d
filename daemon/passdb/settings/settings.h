#ifndef SASLATCH_DAEMON_PASSDB_SETTINGS_SETTINGS_H_
#define SASLATCH_DAEMON_PASSDB_SETTINGS_SETTINGS_H_

#include <array>
#include <string>
#include <string_view>

namespace saslatch::passdb {

// What a [passdb.NAME] says, typed: daemon/config reads it, a driver is made of it. Values and
// nothing else, so that a loadable driver and the configuration share no more than this header.

enum class Driver { kEmbedded, kPasswdFile, kSasldb };

struct DriverInfo {
  Driver driver;
  std::string_view word;  // of `driver = WORD`
};

// In the order of the manual. A new driver is a line here, its keys in daemon/config/keys.cc, and
// its making in daemon/passdb/drivers.
inline constexpr std::array kDrivers = {
    DriverInfo{Driver::kEmbedded, "embedded"},
    DriverInfo{Driver::kPasswdFile, "passwd-file"},
    DriverInfo{Driver::kSasldb, "sasldb"},
};

constexpr std::string_view to_string(Driver driver) {
  for (const DriverInfo& info : kDrivers) {
    if (info.driver == driver) return info.word;
  }
  return {};
}

struct PassdbSettings {
  std::string name;
  Driver driver = Driver::kEmbedded;
  std::string path;                      // a file
  std::string default_scheme = "CRYPT";  // of stored passwords without {SCHEME}; upper case

  std::string realm;  // sasldb: of names without one; empty: this host's name

  friend bool operator==(const PassdbSettings&, const PassdbSettings&) = default;
};

// The loadable module that holds the driver, as in LIBDIR/saslatch/passdb/MODULE.so; the Debian
// package is saslatch-MODULE. Empty: it is part of the daemon.
inline std::string_view module_of(const PassdbSettings& settings) {
  switch (settings.driver) {
    case Driver::kEmbedded:
    case Driver::kPasswdFile:
      break;
    case Driver::kSasldb:
      return "sasldb";
  }
  return {};
}

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_SETTINGS_SETTINGS_H_
