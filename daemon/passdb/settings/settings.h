#ifndef SASLATCH_DAEMON_PASSDB_SETTINGS_SETTINGS_H_
#define SASLATCH_DAEMON_PASSDB_SETTINGS_SETTINGS_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace saslatch::passdb {

// What a [passdb.NAME] says, typed: daemon/config reads it, a driver is made of it. Values and
// nothing else, so that a loadable driver and the configuration share no more than this header.

enum class Driver { kEmbedded, kPasswdFile, kSql, kSasldb, kLdap, kPam };

struct DriverInfo {
  Driver driver;
  std::string_view word;  // of `driver = WORD`
};

// In the order of the manual. A new driver is a line here, its keys in daemon/config/keys.cc, and
// its making in daemon/passdb/drivers.
inline constexpr std::array kDrivers = {
    DriverInfo{Driver::kEmbedded, "embedded"},
    DriverInfo{Driver::kPasswdFile, "passwd-file"},
    DriverInfo{Driver::kSql, "sql"},
    DriverInfo{Driver::kSasldb, "sasldb"},
    DriverInfo{Driver::kLdap, "ldap"},
    DriverInfo{Driver::kPam, "pam"},
};

constexpr std::string_view to_string(Driver driver) {
  for (const DriverInfo& info : kDrivers) {
    if (info.driver == driver) return info.word;
  }
  return {};
}

// A server that is asked over a network or a UNIX socket.
struct ServerSettings {
  // Name, address, or the absolute path of a socket; empty: the library's own socket.
  std::string host;
  std::optional<uint16_t> port;  // absent: the protocol's own
  std::string user;              // empty: the library's default, the daemon's own name
  std::string password_file;     // empty: no password is shown
  // Verified against tls_ca_file. Absent: where the server is not on this machine.
  std::optional<bool> tls;
  std::string tls_ca_file;  // empty: those of the system
  unsigned connections = 4;
  std::chrono::milliseconds timeout = std::chrono::seconds(3);

  [[nodiscard]] bool is_local() const {
    return host.empty() || host.starts_with('/') || host == "localhost" || host == "::1" ||
           host.starts_with("127.");
  }
  [[nodiscard]] bool needs_tls() const { return tls.value_or(!is_local()); }

  friend bool operator==(const ServerSettings&, const ServerSettings&) = default;
};

struct SqlSettings {
  enum class Backend { kPgsql, kMysql, kSqlite };
  Backend backend = Backend::kPgsql;
  std::string database;  // its name; of SQLite its file
  std::string query;
  std::string list_query;  // empty: accounts cannot be listed

  friend bool operator==(const SqlSettings&, const SqlSettings&) = default;
};

struct LdapSettings {
  std::string uri;         // one or more, separated by spaces
  std::string user_dn;     // a template; empty: the entry is searched for
  std::string base;
  std::string filter;      // a template
  bool starttls = true;    // with ldap://
  bool bind = true;        // false: what the entry shows is compared
  std::string bind_dn;     // our own; empty: anonymous
  std::string attributes;  // "ATTRIBUTE=FIELD ..."

  friend bool operator==(const LdapSettings&, const LdapSettings&) = default;
};

struct PamSettings {
  enum class User { kWhole, kLocalPart };
  std::string service = "smtp";
  User user = User::kWhole;  // as whom PAM is asked
  std::string socket;        // empty: the daemon starts the workers
  std::string worker;        // the program; empty: where it was installed
  std::string service_dir;   // empty: the system's

  friend bool operator==(const PamSettings&, const PamSettings&) = default;
};

struct PassdbSettings {
  std::string name;
  Driver driver = Driver::kEmbedded;
  std::string path;                      // a file
  std::string default_scheme = "CRYPT";  // of stored passwords without {SCHEME}; upper case

  std::string realm;      // sasldb: of names without one; empty: this host's name
  ServerSettings server;  // of sql and ldap; of pam connections and timeout
  SqlSettings sql;
  LdapSettings ldap;
  PamSettings pam;
  // Of ldap and pam: how long a right password lets in without being asked about again.
  std::chrono::milliseconds cache{0};

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
    case Driver::kLdap:
      return "ldap";
    case Driver::kPam:
      return "pam";
    case Driver::kSql:
      switch (settings.sql.backend) {
        case SqlSettings::Backend::kPgsql:
          return "pgsql";
        case SqlSettings::Backend::kMysql:
          return "mysql";
        case SqlSettings::Backend::kSqlite:
          break;
      }
      break;
  }
  return {};
}

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_SETTINGS_SETTINGS_H_
