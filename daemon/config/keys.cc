#include "daemon/config/keys.h"

#include <algorithm>

#include "daemon/policy/presets.h"

namespace saslatch::config {
namespace {

using namespace std::chrono_literals;

constexpr auto kDay = 24h;
// Beside "/control" and "/auth" under it.
constexpr size_t kLongestRunDir = 90;
constexpr size_t kLongestPath = 1024;
// A thread costs a stack; no machine has more cores than this to give.
constexpr uint64_t kMostThreads = 256;
// Redis has 16 unless it is told otherwise; each costs it memory.
constexpr uint64_t kMostDatabases = 1023;

// A database's own limits are lower.
constexpr size_t kLongestName = 255;
constexpr size_t kLongestQuery = 4096;
// A server gives a hundred or two to all its clients.
constexpr uint64_t kMostConnections = 64;

// Binds a member, reached through `access`, to a kind of value. The default is the member's own.
// What is moved from in a template, clang-tidy takes for copied.
template <typename T, typename V, typename Access>
// NOLINTNEXTLINE(performance-unnecessary-value-param)
Key<T> key(std::string name, Kind<V> kind, Access access, std::string help) {
  Key<T> key;
  key.name = std::move(name);
  key.accepts = kind.accepts;
  key.nothing = kind.nothing;
  key.help = std::move(help);
  T fresh{};
  key.default_value = kind.print(access(fresh));
  key.set = [kind, access](T& target, std::string_view text) -> tl::expected<void, Reason> {
    auto value = kind.parse(text);
    if (!value) return tl::unexpected(std::move(value.error()));
    access(target) = std::move(*value);
    return {};
  };
  key.get = [kind, access](const T& target) { return kind.print(access(target)); };
  return key;
}

template <typename T>
Key<T> required(Key<T> key) {
  key.required = true;
  key.default_value.clear();
  return key;
}

Key<PassdbConfig> only_for(std::initializer_list<PassdbDriver> drivers, Key<PassdbConfig> key) {
  for (const PassdbDriver driver : drivers) key.drivers.emplace_back(to_string(driver));
  return key;
}

Kind<PassdbDriver> passdb_driver() {
  std::vector<std::pair<std::string, PassdbDriver>> words;
  words.reserve(std::size(passdb::kDrivers));
  for (const auto& info : passdb::kDrivers) words.emplace_back(info.word, info.driver);
  return one_of(std::move(words));
}

}  // namespace

bool KeyInfo::is_for(std::string_view driver) const {
  return drivers.empty() || std::find(drivers.begin(), drivers.end(), driver) != drivers.end();
}

std::vector<Key<Config>> daemon_keys() {
  using T = Config;
  return {
      key<T>(
          "state-dir", path(kLongestPath), [](auto& c) -> auto& { return c.daemon.state_dir; },
          "Holds the embedded databases: users.db and the state of the policy. One daemon for "
          "each state directory. A change takes a restart."),
      key<T>(
          "run-dir", path(kLongestRunDir), [](auto& c) -> auto& { return c.daemon.run_dir; },
          "Holds the control socket, RUN-DIR/control, and RUN-DIR/auth if no listener is "
          "configured. A change takes a restart."),
      key<T>(
          "user", optional_of(account(), std::string(kDefaultUser) + " if it exists"),
          [](auto& c) -> auto& { return c.daemon.user; },
          "Whom the daemon becomes after opening its sockets, when it is started as root "
          "without a service manager. A change takes a restart."),
      key<T>(
          "threads", as<unsigned>(number(0, kMostThreads)),
          [](auto& c) -> auto& { return c.daemon.threads; },
          "Event loops; 0 is one for each core that it may use (its cpuset). A change takes a "
          "restart."),
      key<T>(
          "hash-threads", as<unsigned>(number(0, kMostThreads)),
          [](auto& c) -> auto& { return c.daemon.hash_threads; },
          "Threads for password hashing, and as many for blocking look-ups; 0 is one for each "
          "core that it may use. A change takes a restart."),
      key<T>(
          "verdict-cache", duration(0ms, kDay),
          [](auto& c) -> auto& { return c.daemon.verdict_cache; },
          "A password that was right costs no slow hash again for this long, counted from its last "
          "hash; 0 is none. Only a digest is kept, by a key of the process, in memory. The account "
          "is looked up all the same: a changed password, a disabled account and a lock act at "
          "once. A reload empties it."),
      key<T>(
          "log-target",
          one_of<LogTarget>({{"stderr", LogTarget::kStderr},
                             {"journal", LogTarget::kJournal},
                             {"syslog", LogTarget::kSyslog}}),
          [](auto& c) -> auto& { return c.daemon.log_target; },
          "Where log lines go. syslog uses the facility mail; so does journal where none runs."),
      key<T>(
          "log-level",
          one_of<LogLevel>({{"debug", LogLevel::kDebug},
                            {"info", LogLevel::kInfo},
                            {"warning", LogLevel::kWarning},
                            {"error", LogLevel::kError}}),
          [](auto& c) -> auto& { return c.daemon.log_level; },
          "Lines below it are left out. The failures of users are of level info."),
      key<T>(
          "audit-log", or_empty(path(kLongestPath), "none", std::string()),
          [](auto& c) -> auto& { return c.daemon.audit_log; },
          "The audit log, one JSON object a line. If it cannot be written, authentication goes "
          "on and the log says so once a minute."),
      key<T>(
          "module-dir", or_empty(path(kLongestPath), "where they were installed", std::string()),
          [](auto& c) -> auto& { return c.daemon.module_dir; },
          "Where the loadable drivers of passdbs are."),
      key<T>(
          "max-subjects", as<size_t>(size(1000, 100'000'000)),
          [](auto& c) -> auto& { return c.policy.max_subjects; },
          "Bounds what the policy remembers: counted subjects, locks, familiar networks. When "
          "it is full, the entry least worth keeping goes, never a live lock."),
  };
}

std::vector<Key<Config>> mechanisms_keys() {
  using T = Config;
  return {
      key<T>(
          "offer", mechanisms(), [](auto& c) -> auto& { return c.mechanisms.offer; },
          "The mechanisms that clients are told of, in this order."),
      key<T>(
          "plaintext-needs-tls", yes_or_no(),
          [](auto& c) -> auto& { return c.mechanisms.plaintext_needs_tls; },
          "PLAIN and LOGIN are refused, before any prompt, where the client does not say that "
          "its own client's connection is secured."),
  };
}

std::vector<Key<Config>> usernames_keys() {
  using T = Config;
  return {
      key<T>(
          "lowercase", yes_or_no(), [](auto& c) -> auto& { return c.usernames.lowercase; },
          "Names are turned to lower case before they are looked up and counted."),
      key<T>(
          "default-domain", or_empty(domain(), "none", std::string()),
          [](auto& c) -> auto& { return c.usernames.default_domain; },
          "Appended, with an @, to a name that has none."),
      key<T>(
          "allowed-chars", character_set(),
          [](auto& c) -> auto& { return c.usernames.allowed_chars; },
          "A name with any other character is refused as malformed and never looked up."),
  };
}

std::vector<Key<Config>> codes_keys() {
  using T = Config;
  return {
      key<T>(
          "main-password", main_password(), [](auto& c) -> auto& { return c.codes.main_password; },
          "Whether an account's main password lets in where authorization codes do. "
          "refused-if-codes refuses it from the account's first usable code on. A word with a "
          "service before it, as in smtp:refused, is for that service alone. An account's own "
          "word, of \"saslatch user main-password\", goes first."),
      key<T>(
          "max-per-account", as<int>(number(1, 100)),
          [](auto& c) -> auto& { return c.codes.max_per_account; },
          "How many codes an account may have that are neither revoked nor expired."),
  };
}

std::vector<Key<Config>> policy_keys() {
  using T = Config;
  return {
      key<T>(
          "mode",
          one_of<policy::Mode>(
              {{"enforce", policy::Mode::kEnforce}, {"observe", policy::Mode::kObserve}}),
          [](auto& c) -> auto& { return c.policy.mode; },
          "observe decides everything and writes what it would have done into the audit log, "
          "but refuses and delays nobody."),
      key<T>(
          "preset", preset(), [](auto& c) -> auto& { return c.preset; },
          "The shipped rules to start from. Without this key any [rule.NAME] replaces them; "
          "with it the file's rules are changes to the preset, by name."),
      key<T>(
          "trusted", networks(), [](auto& c) -> auto& { return c.policy.trusted; },
          "Clients from there, monitoring and the like, are never counted and never refused."),
      key<T>(
          "shared", networks(), [](auto& c) -> auto& { return c.policy.shared; },
          "Webmail, proxies, carrier-grade NAT: many people behind one address, counted for "
          "each account only."),
      key<T>(
          "ipv4-prefix", as<int>(number(1, 32)),
          [](auto& c) -> auto& { return c.policy.ipv4_prefix; },
          "How much of an IPv4 address is its network, unless a rule says otherwise."),
      key<T>(
          "ipv6-prefix", as<int>(number(1, 128)),
          [](auto& c) -> auto& { return c.policy.ipv6_prefix; },
          "How much of an IPv6 address is its network, unless a rule says otherwise."),
      key<T>(
          "familiar-for", duration(0ms, 3650 * kDay),
          [](auto& c) -> auto& { return c.policy.familiar_for; },
          "How long after a success a network stays familiar to an account."),
      key<T>(
          "familiar-max", as<size_t>(number(0, 1000)),
          [](auto& c) -> auto& { return c.policy.familiar_max; },
          "How many networks are familiar to one account, the newest."),
      key<T>(
          "failure-delay", duration(0ms, 9s),
          [](auto& c) -> auto& { return c.policy.failure_delay; },
          "A failed answer is held this long, give or take a fifth, the time of the check "
          "included; 0 turns it off."),
      key<T>(
          "max-hold", duration(100ms, 9s), [](auto& c) -> auto& { return c.policy.max_hold; },
          "No answer is ever held longer than this in all. Postfix waits 10 s, chasquid 5 s."),
      key<T>(
          "held-answers", as<size_t>(number(0, 1'000'000)),
          [](auto& c) -> auto& { return c.policy.held_answers; },
          "When more than this are held, the oldest is released at once."),
  };
}

std::vector<Key<Config>> state_keys() {
  using T = Config;
  const auto file = [](const char* meaning) {
    return or_empty(path(kLongestPath), meaning, std::string());
  };
  return {
      key<T>(
          "backend",
          one_of<StateBackend>({{"local", StateBackend::kLocal}, {"redis", StateBackend::kRedis}}),
          [](auto& c) -> auto& { return c.state.backend; },
          "local is this process and STATE-DIR. redis shares counters, locks, growth and familiar "
          "networks with the other hosts that use the same servers, prefix and key-file; while no "
          "server answers, each host goes on with what it knows. All keys below are for redis. A "
          "change of any key of this section takes a restart."),
      key<T>(
          "servers", redis_addresses(), [](auto& c) -> auto& { return c.state.servers; },
          "The servers of Redis (or Valkey), tried in this order until one is found that can be "
          "written to. Needed for backend = redis."),
      key<T>(
          "sentinel-master", or_empty(redis_name(), "servers are no sentinels", std::string()),
          [](auto& c) -> auto& { return c.state.sentinel_master; },
          "The servers are sentinels, which are asked where the master of this name is."),
      key<T>(
          "tls", yes_or_no(), [](auto& c) -> auto& { return c.state.tls; },
          "TLS 1.2 or later, and the server's certificate must be good for the name it is called "
          "by."),
      key<T>(
          "tls-ca-file", file("those of the system"),
          [](auto& c) -> auto& { return c.state.tls_ca_file; },
          "The certificate authorities to trust, PEM."),
      key<T>(
          "tls-cert-file", file("none"), [](auto& c) -> auto& { return c.state.tls_cert_file; },
          "The certificate to show to the server, PEM, with its chain."),
      key<T>(
          "tls-key-file", file("none"), [](auto& c) -> auto& { return c.state.tls_key_file; },
          "The key of tls-cert-file, PEM, without a passphrase. The daemon's user must be able to "
          "read it, and others must not."),
      key<T>(
          "user", or_empty(redis_name(), "Redis' default user", std::string()),
          [](auto& c) -> auto& { return c.state.user; }, "The user of Redis' access control list."),
      key<T>(
          "password-file", file("no password"),
          [](auto& c) -> auto& { return c.state.password_file; },
          "A file whose first line is the password for Redis. The daemon's user must be able to "
          "read it, and others must not."),
      key<T>(
          "database", as<unsigned>(number(0, kMostDatabases)),
          [](auto& c) -> auto& { return c.state.database; },
          "The number of the database inside Redis; a Redis Cluster has only 0."),
      key<T>(
          "key-file", file("for backend = local"),
          [](auto& c) -> auto& { return c.state.key_file; },
          "The key that all hosts share: at least 32 random bytes, as they are or in base64 or "
          "hexadecimal. It keys the fingerprints of wrong passwords, so that no guess can be tried "
          "on what Redis holds. Made by: head -c 32 /dev/urandom | base64. The daemon's user must "
          "be able to read it, and others must not. Needed for backend = redis."),
      key<T>(
          "prefix", redis_name(), [](auto& c) -> auto& { return c.state.prefix; },
          "What all keys in Redis begin with. Sites that share a Redis but no accounts need one "
          "each."),
      key<T>(
          "budget", duration(1ms, 2s), [](auto& c) -> auto& { return c.state.budget; },
          "An attempt waits for Redis no longer than this; then it is decided by what this host "
          "knows."),
  };
}

std::vector<Key<ListenConfig>> listen_keys() {
  using T = ListenConfig;
  return {
      key<T>(
          "protocol",
          one_of<ListenProtocol>({{"dovecot", ListenProtocol::kDovecot},
                                  {"dovecot-master", ListenProtocol::kDovecotMaster},
                                  {"saslauthd", ListenProtocol::kSaslauthd},
                                  {"metrics", ListenProtocol::kMetrics},
                                  {"codes", ListenProtocol::kCodes}}),
          [](auto& l) -> auto& { return l.protocol; },
          "dovecot is what Postfix, Exim, chasquid and Dovecot speak to authenticate; "
          "dovecot-master tells which users exist; saslauthd is for Cyrus SASL; metrics answers "
          "GET /metrics; codes lets a portal manage the authorization codes of an account whose "
          "password it shows."),
      required(key<T>(
          "socket", socket_address(), [](auto& l) -> auto& { return l.socket; },
          "Where to listen.")),
      key<T>(
          "mode", file_mode(), [](auto& l) -> auto& { return l.mode; },
          "The permissions of a UNIX socket."),
      key<T>(
          "owner", or_empty(account(), "the daemon's own", std::string()),
          [](auto& l) -> auto& { return l.owner; },
          "Who owns a UNIX socket. If it cannot be set, the daemon does not start."),
      key<T>(
          "group", or_empty(account(), "the daemon's own", std::string()),
          [](auto& l) -> auto& { return l.group; },
          "The group of a UNIX socket. If it cannot be set, the daemon does not start."),
      key<T>(
          "allow-remote", yes_or_no(), [](auto& l) -> auto& { return l.allow_remote; },
          "Permits an address that other hosts can reach. None of these protocols is "
          "encrypted, and passwords pass through them."),
      key<T>(
          "on-temporary-failure",
          one_of<OnTemporaryFailure>({{"disconnect", OnTemporaryFailure::kDisconnect},
                                      {"reply", OnTemporaryFailure::kReply}}),
          [](auto& l) -> auto& { return l.on_temporary_failure; },
          "What a client of protocol dovecot sees when the trouble is ours. Postfix and Exim "
          "make a permanent 535 of every FAIL, and of a closed connection a temporary 454; reply "
          "is for clients that know code=temp_fail."),
      key<T>(
          "plaintext-needs-tls",
          optional_of(yes_or_no(), "as in [mechanisms]; for protocol = saslauthd no"),
          [](auto& l) -> auto& { return l.plaintext_needs_tls; },
          "Overrides the key of the same name in [mechanisms]. saslauthd's protocol never tells "
          "whether a connection is secured."),
  };
}

std::vector<Key<PassdbConfig>> passdb_keys() {
  using T = PassdbConfig;
  using Backend = passdb::SqlSettings::Backend;
  return {
      required(key<T>(
          "driver", passdb_driver(), [](auto& p) -> auto& { return p.driver; },
          "embedded is STATE-DIR/users.db, which \"saslatch user\" keeps; passwd-file "
          "is a file in Dovecot's format; sql is a table of a database; sasldb is the file that "
          "saslpasswd2(8) keeps; ldap is a directory; pam is PAM.")),
      only_for({PassdbDriver::kPasswdFile, PassdbDriver::kSasldb},
               required(key<T>(
                   "path", path(kLongestPath), [](auto& p) -> auto& { return p.path; },
                   "The file; picked up when it changes."))),
      only_for({PassdbDriver::kSql},
               required(key<T>(
                   "backend",
                   one_of<Backend>({{"pgsql", Backend::kPgsql},
                                    {"mysql", Backend::kMysql},
                                    {"sqlite", Backend::kSqlite}}),
                   [](auto& p) -> auto& { return p.sql.backend; },
                   "The kind of database: PostgreSQL, of the package saslatch-pgsql; MySQL or "
                   "MariaDB, of saslatch-mysql; a file of SQLite."))),
      only_for({PassdbDriver::kSql},
               key<T>(
                   "host",
                   or_empty(text(kLongestPath, "a name, an address, or a socket's absolute path"),
                            "the socket of the client library", std::string()),
                   [](auto& p) -> auto& { return p.server.host; },
                   "Where the server is. For backend = pgsql the socket's directory, for mysql the "
                   "socket itself. A name is looked up at each connect; an address needs no name "
                   "server.")),
      only_for({PassdbDriver::kSql},
               key<T>(
                   "port", optional_of(as<uint16_t>(number(1, 65535)), "that of the server's kind"),
                   [](auto& p) -> auto& { return p.server.port; }, "The server's port.")),
      only_for({PassdbDriver::kSql},
               required(key<T>(
                   "database", text(kLongestPath, "a name"),
                   [](auto& p) -> auto& { return p.sql.database; },
                   "The database; for backend = sqlite the absolute path of its file, which is "
                   "only read."))),
      only_for(
          {PassdbDriver::kSql},
          key<T>(
              "user", or_empty(text(kLongestName, "a name"), "the daemon's own", std::string()),
              [](auto& p) -> auto& { return p.server.user; },
              "Whom the server knows us as. It should be permitted to read what the query "
              "reads, and nothing else.")),
      only_for(
          {PassdbDriver::kSql, PassdbDriver::kLdap},
          key<T>(
              "password-file", or_empty(path(kLongestPath), "no password", std::string()),
              [](auto& p) -> auto& { return p.server.password_file; },
              "A file whose first line is that user's password. The daemon's user must be able "
              "to read it, and others must not. Read at each connect.")),
      only_for({PassdbDriver::kSql},
               key<T>(
                   "tls", optional_of(yes_or_no(), "yes, unless the server is on this machine"),
                   [](auto& p) -> auto& { return p.server.tls; },
                   "TLS, and the server's certificate must be good for the host as it is written "
                   "here.")),
      only_for(
          {PassdbDriver::kSql, PassdbDriver::kLdap},
          key<T>(
              "tls-ca-file", or_empty(path(kLongestPath), "those of the system", std::string()),
              [](auto& p) -> auto& { return p.server.tls_ca_file; },
              "The certificate authorities to trust, PEM.")),
      only_for({PassdbDriver::kSql, PassdbDriver::kLdap, PassdbDriver::kPam},
               key<T>(
                   "connections", as<unsigned>(number(1, kMostConnections)),
                   [](auto& p) -> auto& { return p.server.connections; },
                   "So many connections at most, each with a thread of its own; for pam so many "
                   "workers. "
                   "The first is made at start, the others when there is work for them.")),
      only_for(
          {PassdbDriver::kSql, PassdbDriver::kLdap, PassdbDriver::kPam},
          key<T>(
              "timeout", duration(100ms, 9s), [](auto& p) -> auto& { return p.server.timeout; },
              "A look-up that takes longer, connecting and waiting its turn included, is "
              "answered as a temporary failure. Never more than nine tenths of max-hold.")),
      only_for(
          {PassdbDriver::kSql},
          required(key<T>(
              "query", text(kLongestQuery, "a query"), [](auto& p) -> auto& { return p.sql.query; },
              "What finds an account: SELECT with the columns password, user, and as needed "
              "username, domain, allow_nets, nologin, nopassword, nodelay, fail, userdb_uid, "
              "userdb_gid and userdb_home, as Dovecot has them. %u stands for the name, %n for "
              "what is before its @ and %d for what is after it, each handed to the server as a "
              "parameter and never as text of the query; %% is a percent sign. No row is an "
              "unknown user, more than one is a temporary failure."))),
      only_for(
          {PassdbDriver::kSql},
          key<T>(
              "list-query",
              or_empty(text(kLongestQuery, "a query"), "they cannot be listed", std::string()),
              [](auto& p) -> auto& { return p.sql.list_query; },
              "What finds the names of all accounts, in the first column: for LIST of protocol "
              "dovecot-master.")),
      only_for({PassdbDriver::kPasswdFile, PassdbDriver::kSql},
               key<T>(
                   "default-scheme", scheme(), [](auto& p) -> auto& { return p.default_scheme; },
                   "The scheme of stored passwords that name none.")),
      only_for({PassdbDriver::kSasldb},
               key<T>(
                   "realm", or_empty(domain(), "the name of this host", std::string()),
                   [](auto& p) -> auto& { return p.realm; },
                   "The realm of a name without one. The account is NAME@REALM always.")),
      only_for(
          {PassdbDriver::kLdap},
          required(key<T>(
              "uri",
              text(kLongestPath, "ldap://HOST, ldaps://HOST or ldapi:///, several with spaces"),
              [](auto& p) -> auto& { return p.ldap.uri; },
              "The directory's servers; the first that answers is asked."))),
      only_for({PassdbDriver::kLdap},
               key<T>(
                   "starttls", yes_or_no(), [](auto& p) -> auto& { return p.ldap.starttls; },
                   "Where the URI is ldap://, TLS is begun before anything is said. The server's "
                   "certificate must be good for the name in the URI, here and with ldaps://.")),
      only_for({PassdbDriver::kLdap},
               key<T>(
                   "bind-dn", or_empty(text(kLongestPath, "a DN"), "anonymous", std::string()),
                   [](auto& p) -> auto& { return p.ldap.bind_dn; },
                   "As whom entries are searched for; its password is in password-file.")),
      only_for(
          {PassdbDriver::kLdap},
          key<T>(
              "user-dn", or_empty(text(kLongestPath, "a DN"), "base and filter", std::string()),
              [](auto& p) -> auto& { return p.ldap.user_dn; },
              "The DN of who logs in, with %u for the name, %n for what is before its @, %d for "
              "what is behind. Whoever can bind as it is let in; nothing is searched for.")),
      only_for({PassdbDriver::kLdap},
               key<T>(
                   "base", or_empty(text(kLongestPath, "a DN"), "with user-dn", std::string()),
                   [](auto& p) -> auto& { return p.ldap.base; },
                   "Where entries are searched for, with all that is below.")),
      only_for(
          {PassdbDriver::kLdap},
          key<T>(
              "filter", or_empty(text(kLongestPath, "a filter"), "with user-dn", std::string()),
              [](auto& p) -> auto& { return p.ldap.filter; },
              "Which entry it is, with %u, %n and %d as in user-dn, as in (mail=%u). None is an "
              "unknown user, more than one a temporary failure.")),
      only_for(
          {PassdbDriver::kLdap},
          key<T>(
              "bind", yes_or_no(), [](auto& p) -> auto& { return p.ldap.bind; },
              "The password is right if one can bind with it. no: what the entry shows bind-dn "
              "as userPassword is compared here, which CRAM-MD5 needs.")),
      only_for({PassdbDriver::kLdap},
               key<T>(
                   "attributes",
                   or_empty(text(kLongestPath, "words ATTRIBUTE=FIELD"), "none", std::string()),
                   [](auto& p) -> auto& { return p.ldap.attributes; },
                   "What else an entry says: user (the account's own name), nologin (any value but "
                   "FALSE, NO and 0), allow_nets, uid, gid, home, and password for bind = no.")),
      only_for({PassdbDriver::kPam},
               key<T>(
                   "service", account(), [](auto& p) -> auto& { return p.pam.service; },
                   "The service of PAM, as in /etc/pam.d/SERVICE.")),
      only_for(
          {PassdbDriver::kPam},
          key<T>(
              "pam-user",
              one_of<passdb::PamSettings::User>({{"%u", passdb::PamSettings::User::kWhole},
                                                 {"%n", passdb::PamSettings::User::kLocalPart}}),
              [](auto& p) -> auto& { return p.pam.user; },
              "As whom PAM is asked: the whole name, or what is before its @. That is the "
              "account.")),
      only_for({PassdbDriver::kPam},
               key<T>(
                   "socket",
                   or_empty(path(kLongestPath), "the daemon starts its workers", std::string()),
                   [](auto& p) -> auto& { return p.pam.socket; },
                   "Where workers with other rights than the daemon's are had, as root from "
                   "saslatch-pam.socket: pam_unix needs them.")),
      only_for({PassdbDriver::kPam},
               key<T>(
                   "worker", or_empty(path(kLongestPath), "where it was installed", std::string()),
                   [](auto& p) -> auto& { return p.pam.worker; },
                   "The program that asks PAM, where the daemon starts it.")),
      only_for(
          {PassdbDriver::kPam},
          key<T>(
              "service-dir", or_empty(path(kLongestPath), "those of the system", std::string()),
              [](auto& p) -> auto& { return p.pam.service_dir; },
              "Where the service is, where the daemon starts the workers.")),
      only_for(
          {PassdbDriver::kLdap, PassdbDriver::kPam},
          key<T>(
              "cache", duration(0ms, kDay), [](auto& p) -> auto& { return p.cache; },
              "A right password lets in for this long without being asked about again; 0 is not "
              "at all. Meanwhile a change or a lock at the server is not seen, except that with "
              "filter a changed entry is.")),
  };
}

std::vector<Key<policy::Rule>> rule_keys() {
  using T = policy::Rule;
  using policy::Count, policy::By, policy::Then, policy::Answer;
  const auto words = [](auto... values) {
    using V = std::common_type_t<decltype(values)...>;
    return one_of<V>({{std::string(policy::to_string(values)), values}...});
  };
  return {
      key<T>(
          "enabled", yes_or_no(), [](auto& r) -> auto& { return r.enabled; },
          "no turns the rule off, one of a preset for example."),
      required(key<T>(
          "count",
          words(Count::kAttempts, Count::kFailures, Count::kUnknownUsers, Count::kDistinctUsers,
                Count::kDistinctPasswords),
          [](auto& r) -> auto& { return r.count; },
          "What is an event: verified attempts; failures, the same wrong password for "
          "the same user once an hour; failures for accounts that don't exist; "
          "different names, or passwords, that failed.")),
      required(key<T>(
          "by",
          words(By::kIp, By::kNetwork, By::kUser, By::kUserNetwork, By::kPassword, By::kEveryone),
          [](auto& r) -> auto& { return r.by; }, "Whom the events are counted for.")),
      required(key<T>(
          "limit", limit(), [](auto& r) -> auto& { return r.limit; },
          "How many events inside how long trip the rule.")),
      required(key<T>(
          "then", words(Then::kLock, Then::kRefuse, Then::kDelay),
          [](auto& r) -> auto& { return r.then; },
          "lock refuses the subject for a time; refuse refuses while that many events "
          "remain in the window; delay holds answers, right or wrong.")),
      key<T>(
          "for", or_empty(duration(1ms, policy::kMaxLock), "for then = refuse", Milliseconds(0)),
          [](auto& r) -> auto& { return r.lasts; }, "How long a lock lasts, or an answer is held."),
      key<T>(
          "growing", optional_of(growth(), "constant"), [](auto& r) -> auto& { return r.growing; },
          "Each further lock within 24 h of the last one's end is longer, up to the cap."),
      key<T>(
          "spare",
          Kind<bool>{"familiar, or nothing: nobody",
                     [](std::string_view text) -> Value<bool> {
                       if (text.empty() || text == "familiar") return !text.empty();
                       return tl::unexpected(Reason());
                     },
                     [](const bool& spare) { return std::string(spare ? "familiar" : ""); }},
          [](auto& r) -> auto& { return r.spare_familiar; },
          "An attempt from a network that is familiar to the account is not hit by this rule."),
      key<T>(
          "answer", words(Answer::kFail, Answer::kTemporary),
          [](auto& r) -> auto& { return r.answer; },
          "How the refused attempt looks: like a wrong password, or like our own trouble."),
      key<T>(
          "ipv4-prefix", optional_of(as<int>(number(1, 32)), "as in [policy]"),
          [](auto& r) -> auto& { return r.ipv4_prefix; }, "What network means to this rule."),
      key<T>(
          "ipv6-prefix", optional_of(as<int>(number(1, 128)), "as in [policy]"),
          [](auto& r) -> auto& { return r.ipv6_prefix; }, "What network means to this rule."),
  };
}

std::vector<SectionInfo> key_table() {
  const auto infos = [](const auto& keys) {
    return std::vector<KeyInfo>(keys.begin(), keys.end());
  };
  return {
      {"daemon", false, "The daemon itself.", infos(daemon_keys())},
      {"listen", true,
       "A socket to listen on. Without any, the daemon listens on RUN-DIR/auth for protocol "
       "dovecot.",
       infos(listen_keys())},
      {"mechanisms", false, "What is offered.", infos(mechanisms_keys())},
      {"usernames", false, "How a name is made one name before anybody looks at it.",
       infos(usernames_keys())},
      {"codes", false, "Authorization codes: a password for each device.", infos(codes_keys())},
      {"passdb", true,
       "Where accounts live. In the order of the file; the first that knows the user decides. "
       "Without any, the embedded database.",
       infos(passdb_keys())},
      {"policy", false, "What all rules share.", infos(policy_keys())},
      {"rule", true, "When somebody is slowed, refused or locked.", infos(rule_keys())},
      {"state", false, "Where counters, locks and familiar networks live.", infos(state_keys())},
  };
}

}  // namespace saslatch::config
