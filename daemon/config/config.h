#ifndef SASLATCH_DAEMON_CONFIG_CONFIG_H_
#define SASLATCH_DAEMON_CONFIG_CONFIG_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/audit/log_targets.h"
#include "daemon/passdb/settings/settings.h"
#include "daemon/password/main_password.h"
#include "daemon/policy/settings.h"
#include "protocol/base/ip_address.h"

namespace saslatch::config {

// saslatch.conf as typed values. The member initialisers are the defaults of the manual; what each
// key means stands in keys.cc, the one table of keys.

struct DaemonConfig {
  std::string state_dir = "/var/lib/saslatch";
  std::string run_dir = "/run/saslatch";
  // Absent: "saslatch" if that user exists, else nobody is dropped to.
  std::optional<std::string> user;
  unsigned threads = 0;                                               // 0: one per core it may use
  unsigned hash_threads = 0;                                          // likewise
  std::chrono::milliseconds verdict_cache = std::chrono::minutes(5);  // 0: none
  LogTarget log_target = LogTarget::kStderr;
  LogLevel log_level = LogLevel::kInfo;
  std::string audit_log = "/var/log/saslatch/audit.jsonl";  // empty: none

  std::string module_dir;  // empty: where this installation has them

  friend bool operator==(const DaemonConfig&, const DaemonConfig&) = default;
};

inline constexpr const char* kDefaultUser = "saslatch";

enum class ListenProtocol { kDovecot, kDovecotMaster, kSaslauthd, kMetrics, kCodes };
enum class OnTemporaryFailure { kDisconnect, kReply };

// Where a listener listens: a UNIX socket's path, or an address and port.
struct TcpAddress {
  IpAddress address;
  uint16_t port = 0;

  // "127.0.0.1:2525", "[::1]:2525".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};
using SocketAddress = std::variant<std::string, TcpAddress>;
std::string to_string(const SocketAddress& address);

// [listen.NAME]
struct ListenConfig {
  std::string name;
  ListenProtocol protocol = ListenProtocol::kDovecot;
  SocketAddress socket;
  mode_t mode = 0660;  // these three of a UNIX socket only
  std::string owner;   // empty: the daemon's user
  std::string group;
  bool allow_remote = false;
  OnTemporaryFailure on_temporary_failure = OnTemporaryFailure::kDisconnect;
  std::optional<bool> plaintext_needs_tls;  // see config::plaintext_needs_tls()

  friend bool operator==(const ListenConfig&, const ListenConfig&) = default;
};

struct MechanismsConfig {
  std::vector<std::string> offer = {"PLAIN", "LOGIN", "CRAM-MD5"};  // upper case
  bool plaintext_needs_tls = true;

  friend bool operator==(const MechanismsConfig&, const MechanismsConfig&) = default;
};

struct UsernamesConfig {
  bool lowercase = true;
  std::string default_domain;
  std::string allowed_chars = "abcdefghijklmnopqrstuvwxyz0123456789.-_@+";

  friend bool operator==(const UsernamesConfig&, const UsernamesConfig&) = default;
};

// [passdb.NAME]
using PassdbConfig = passdb::PassdbSettings;
using PassdbDriver = passdb::Driver;

struct CodesConfig {
  password::MainPasswordRules main_password;
  int max_per_account = 25;

  friend bool operator==(const CodesConfig&, const CodesConfig&) = default;
};

// Where the policy's state lives: in this process and STATE-DIR, or in a Redis that several hosts
// share.
enum class StateBackend { kLocal, kRedis };

// HOST:PORT, the host a name or an address, or the path of a UNIX socket.
struct RedisAddress {
  std::string host;  // an IPv6 address without brackets; empty: `path`
  uint16_t port = 0;
  std::string path;

  // "cache.example.org:6379", "[2001:db8::1]:6379", "/run/redis/redis-server.sock".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const RedisAddress&, const RedisAddress&) = default;
};

// [state]. All but `backend` is for kRedis, where `servers` and `key_file` are never empty.
struct StateConfig {
  StateBackend backend = StateBackend::kLocal;
  // Tried in this order. With a sentinel_master they are sentinels, asked for its address.
  std::vector<RedisAddress> servers;
  std::string sentinel_master;  // empty: `servers` are the servers themselves
  bool tls = false;
  std::string tls_ca_file;    // empty: the certificate authorities of the system
  std::string tls_cert_file;  // these two together, or empty: no client certificate
  std::string tls_key_file;
  std::string user;           // empty: Redis' default user; else with a password_file
  std::string password_file;  // empty: no password. See secret_files.h
  unsigned database = 0;
  std::string key_file;  // the key all hosts share. See secret_files.h
  std::string prefix = "saslatch";
  // An attempt waits for Redis no longer, then goes on with what this host knows.
  std::chrono::milliseconds budget{50};

  friend bool operator==(const StateConfig&, const StateConfig&) = default;
};

struct Config {
  DaemonConfig daemon;
  std::vector<ListenConfig> listen;  // in file order, never empty
  MechanismsConfig mechanisms;
  UsernamesConfig usernames;
  CodesConfig codes;
  std::vector<PassdbConfig> passdb;   // in file order, never empty
  std::string preset = "small-site";  // "none" where the file has rules and no preset
  policy::Settings policy;            // with the rules in force, and [daemon] max-subjects
  StateConfig state;
};

// Whether PLAIN and LOGIN need `secured` at this listener: its own word, else no for saslauthd
// (which is never told), else that of [mechanisms].
bool plaintext_needs_tls(const Config& config, const ListenConfig& listen);

// The keys, as "[daemon] threads", in which the two differ and that take effect at a restart only:
// state-dir, run-dir, user, threads, hash-threads, and all of [state]. A reload keeps the running
// values of those.
std::vector<std::string> needs_restart(const Config& running, const Config& next);

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_CONFIG_H_
