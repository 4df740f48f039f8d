#include "daemon/config/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "daemon/config/keys.h"
#include "daemon/policy/presets.h"

namespace saslatch::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Config good(std::string_view text) {
  Parsed parsed = parse(text);
  for (const Problem& problem : parsed.problems) ADD_FAILURE() << to_string(problem, "text");
  return parsed.config;
}

// Text that parses to the same as `config`, so that two configurations can be compared.
std::string all_of(const Config& config) { return dump(config); }

TEST(Parse, TakesAnEmptyFileForAWholeConfiguration) {
  const Config config = good("");
  ASSERT_THAT(config.listen, SizeIs(1));
  EXPECT_EQ(config.listen[0].name, "auth");
  EXPECT_EQ(config.listen[0].protocol, ListenProtocol::kDovecot);
  EXPECT_EQ(to_string(config.listen[0].socket), "/run/saslatch/auth");
  EXPECT_EQ(config.listen[0].mode, 0660u);
  ASSERT_THAT(config.passdb, SizeIs(1));
  EXPECT_EQ(config.passdb[0].name, "embedded");
  EXPECT_EQ(config.passdb[0].driver, PassdbDriver::kEmbedded);
  EXPECT_EQ(config.preset, "small-site");
  EXPECT_EQ(config.policy.rules, *policy::preset_rules("small-site"));
  EXPECT_THAT(config.mechanisms.offer, ElementsAre("PLAIN", "LOGIN", "CRAM-MD5"));
}

TEST(Parse, HasTheDefaultsOfTheDesign) {
  // As DESIGN's section 5 writes them; a default is promised to administrators.
  const std::string written = R"(
[daemon]
state-dir    = /var/lib/saslatch     ; embedded databases
run-dir      = /run/saslatch         ; control socket: RUN-DIR/control
threads      = 0                     ; event loops; 0: one per core
hash-threads = 0                     ; password hashing and blocking lookups; 0: one per core
log-target   = stderr                ; stderr | journal | syslog
log-level    = info
audit-log    = /var/log/saslatch/audit.jsonl   ; empty: none
max-subjects = 1000000               ; bound of tracked subjects
[mechanisms]
offer = PLAIN LOGIN CRAM-MD5
plaintext-needs-tls = yes            ; PLAIN and LOGIN only where the client says `secured`
[usernames]
lowercase      = yes
default-domain =                     ; appended to a bare name
allowed-chars  = abcdefghijklmnopqrstuvwxyz0123456789.-_@+   ; others are refused as malformed
[policy]
mode          = enforce              ; enforce | observe
preset        = small-site           ; small-site | nist-800-63b | asvs | pci-dss | none
trusted       =                      ; monitoring and the like: never counted, never refused
shared        = 127.0.0.0/8 ::1      ; webmail, proxies, CGNAT
ipv4-prefix   = 24                   ; what `network` means, unless a rule says otherwise
ipv6-prefix   = 64
familiar-for  = 90d                  ; a network stays familiar this long after a success
familiar-max  = 20                   ; ... the newest 20 of them
failure-delay = 1500ms               ; a failed answer is held this long
max-hold      = 4500ms               ; no answer is ever held longer than this in all
held-answers  = 500                  ; more than this held: the oldest is released at once
)";
  EXPECT_EQ(all_of(good(written)), all_of(good("")));
}

TEST(Parse, ReadsTheListenersPassdbsAndRulesOfTheDesign) {
  const Config config = good(R"(
[listen.postfix]
protocol = dovecot                   ; dovecot | dovecot-master | saslauthd | metrics
socket   = /var/spool/postfix/private/saslatch   ; or 127.0.0.1:PORT
mode     = 0600
owner    = postfix
group    = postdrop
on-temporary-failure = reply         ; disconnect | reply

[listen.figures]
protocol = metrics
socket = [::1]:9100

[passdb.legacy]
driver = passwd-file
path   = /etc/saslatch/users
default-scheme = ssha512
[passdb.embedded]                    ; in file order; the first that knows the user decides
driver = embedded                    ; STATE-DIR/users.db

[rule.guess-account]
count   = distinct-passwords
by      = user+network
limit   = 10/10m
then    = lock                       ; lock | refuse | delay
for     = 1m
growing = x2.5 up to 1h              ; absent: constant
spare   = familiar
answer  = temporary
ipv4-prefix = 20
)");
  ASSERT_THAT(config.listen, SizeIs(2));
  EXPECT_EQ(to_string(config.listen[0].socket), "/var/spool/postfix/private/saslatch");
  EXPECT_EQ(config.listen[0].mode, 0600u);
  EXPECT_EQ(config.listen[0].owner, "postfix");
  EXPECT_EQ(config.listen[0].group, "postdrop");
  EXPECT_EQ(config.listen[0].on_temporary_failure, OnTemporaryFailure::kReply);
  EXPECT_EQ(config.listen[1].protocol, ListenProtocol::kMetrics);
  EXPECT_EQ(std::get<TcpAddress>(config.listen[1].socket).port, 9100);
  ASSERT_THAT(config.passdb, SizeIs(2));
  EXPECT_EQ(config.passdb[0].name, "legacy");
  EXPECT_EQ(config.passdb[0].path, "/etc/saslatch/users");
  EXPECT_EQ(config.passdb[0].default_scheme, "SSHA512");
  EXPECT_EQ(config.passdb[1].driver, PassdbDriver::kEmbedded);
  policy::Rule rule;
  rule.name = "guess-account";
  rule.count = policy::Count::kDistinctPasswords;
  rule.by = policy::By::kUserNetwork;
  rule.limit = {10, 10min};
  rule.lasts = 1min;
  rule.growing = policy::Growth{2.5, 1h};
  rule.spare_familiar = true;
  rule.answer = policy::Answer::kTemporary;
  rule.ipv4_prefix = 20;
  EXPECT_THAT(config.policy.rules, ElementsAre(rule));
  EXPECT_EQ(config.preset, "none") << "rules of the file replace the shipped ones";
}

constexpr std::string_view kOneRule =
    "[rule.mine]\ncount = failures\nby = ip\nlimit = 5/1m\nthen = refuse\n";

TEST(Presets, AreChangedByNameWhereThePresetIsGiven) {
  const auto shipped = *policy::preset_rules("small-site");
  ASSERT_FALSE(shipped.empty());
  const std::string name = shipped[0].name;
  // The preset may be named after the rules that change it.
  const Config config = good(std::string(kOneRule) + "[rule." + name +
                             "]\nenabled = no\n[policy]\npreset = small-site\n");
  ASSERT_THAT(config.policy.rules, SizeIs(shipped.size() + 1));
  policy::Rule changed = shipped[0];
  changed.enabled = false;
  EXPECT_EQ(config.policy.rules[0], changed);
  EXPECT_EQ(config.policy.rules.back().name, "mine");
}

TEST(Presets, AreReplacedByAnyRuleWhereNoneIsGiven) {
  EXPECT_THAT(good(kOneRule).policy.rules, SizeIs(1));
  EXPECT_THAT(good("[policy]\npreset = none\n").policy.rules, IsEmpty());
}

TEST(Comments, BeginALineOrFollowABlank) {
  EXPECT_EQ(good("# x\n; y\n  # z\n[daemon] # here\nstate-dir = /a#b;c # d\n").daemon.state_dir,
            "/a#b;c");
  EXPECT_EQ(good("[daemon]\naudit-log = ; none\n").daemon.audit_log, "");
  EXPECT_EQ(good("[daemon]\naudit-log =\t# none\n").daemon.audit_log, "");
  EXPECT_EQ(good("[usernames]\nallowed-chars =;#\n").usernames.allowed_chars, ";#");
}

TEST(Lines, MayEndAsWindowsEndsThemAndBeginWithAByteOrderMark) {
  EXPECT_EQ(good("\xef\xbb\xbf[daemon]\r\nthreads = 3\r\n").daemon.threads, 3u);
  EXPECT_EQ(good("[daemon]\nthreads=3").daemon.threads, 3u) << "no newline at the end";
}

TEST(Sections, ThatArePlainMayBeOpenedTwice) {
  const Config config = good("[daemon]\nthreads = 1\n[policy]\n[daemon]\nhash-threads = 2\n");
  EXPECT_EQ(config.daemon.threads, 1u);
  EXPECT_EQ(config.daemon.hash_threads, 2u);
}

TEST(Durations, TakeEveryUnit) {
  const std::pair<const char*, policy::Duration> kCases[] = {
      {"500ms", 500ms}, {"10s", 10s}, {"5m", 5min}, {"2h", 2h}, {"7d", 168h}, {"0", 0ms}};
  for (const auto& [text, value] : kCases) {
    EXPECT_EQ(good("[policy]\nfamiliar-for = " + std::string(text)).policy.familiar_for, value);
  }
  for (const char* text : {"", "10", "10 s", "1.5h", "-1s", "5M", "1h30m", "s", "00", "ms1",
                           "99999999999999999999d", "9223372036854775807d", "4000d"}) {
    EXPECT_TRUE(parse("[policy]\nfamiliar-for = " + std::string(text)).has_errors()) << text;
  }
}

TEST(Sizes, TakeAPowerOf1024) {
  const std::pair<const char*, size_t> kCases[] = {
      {"1000", 1000}, {"64K", 65536}, {"10M", 10485760}};
  for (const auto& [text, value] : kCases) {
    EXPECT_EQ(good("[daemon]\nmax-subjects = " + std::string(text)).policy.max_subjects, value);
  }
  for (const char* text : {"0K", "K", "1G", "1T", "64 K", "64k", "99999999999999999999K"}) {
    EXPECT_TRUE(parse("[daemon]\nmax-subjects = " + std::string(text)).has_errors()) << text;
  }
}

TEST(Listeners, OnAnAddressOthersReachNeedAllowRemote) {
  const std::string section = "[listen.x]\nsocket = ";
  for (const char* safe : {"127.0.0.1:1", "127.255.0.9:65535", "[::1]:25", "/run/x"}) {
    EXPECT_FALSE(parse(section + safe).has_errors()) << safe;
  }
  for (const char* open : {"0.0.0.0:25", "[::]:25", "192.0.2.1:25", "[2001:db8::1]:25"}) {
    EXPECT_TRUE(parse(section + open).has_errors()) << open;
    EXPECT_FALSE(parse(section + open + "\nallow-remote = yes\n").has_errors()) << open;
  }
}

TEST(PlaintextNeedsTls, IsDecidedByTheListenerThenItsProtocolThenTheMechanisms) {
  const struct {
    const char* mechanisms;
    const char* protocol;
    const char* listener;
    bool needs;
  } kCases[] = {{"", "dovecot", "", true},        {"yes", "dovecot", "", true},
                {"no", "dovecot", "", false},     {"no", "dovecot", "yes", true},
                {"yes", "dovecot", "no", false},  {"yes", "saslauthd", "", false},
                {"yes", "saslauthd", "yes", true}};
  for (const auto& c : kCases) {
    std::string text = "[mechanisms]\n";
    if (*c.mechanisms) text += std::string("plaintext-needs-tls = ") + c.mechanisms + "\n";
    text += std::string("[listen.x]\nsocket = /x\nprotocol = ") + c.protocol + "\n";
    text += std::string("plaintext-needs-tls = ") + c.listener + "\n";
    const Config config = good(text);
    EXPECT_EQ(plaintext_needs_tls(config, config.listen[0]), c.needs) << text;
  }
}

TEST(Dump, IsAConfigurationThatParsesToTheSame) {
  for (const std::string& text :
       {std::string(), std::string(kOneRule), std::string("[policy]\npreset = none\n"),
        std::string("[listen.x]\nsocket = 127.0.0.1:99\n[listen.y]\nsocket = [::1]:99\n"
                    "allow-remote = yes\nplaintext-needs-tls = no\n[listen.z]\nsocket = /z\n"
                    "mode = 0\nowner = 12\non-temporary-failure = reply\nprotocol = saslauthd\n"),
        std::string("[daemon]\nuser = mail\naudit-log =\nmax-subjects = 64K\n[passdb.f]\n"
                    "driver = passwd-file\npath = /f/\ndefault-scheme = PLAIN\n"),
        std::string("[policy]\npreset = small-site\ntrusted = 192.0.2.7, 2001:db8::/32\n"
                    "mode = observe\nfamiliar-for = 0\nfailure-delay = 0\n[rule.x]\n"
                    "count = attempts\nby = everyone\nlimit = 1/1s\nthen = delay\nfor = 1ms\n"
                    "growing = x1.25 up to 365d\nipv6-prefix = 48\nenabled = no\n")}) {
    const std::string once = dump(good(text));
    EXPECT_EQ(dump(good(once)), once) << text;
  }
}

TEST(Dump, HasEveryKeyWithItsDefault) {
  Config config = good(kOneRule);
  for (const auto& info : passdb::kDrivers) config.passdb.emplace_back().driver = info.driver;
  const std::string text = dump(config);
  for (const SectionInfo& section : key_table()) {
    for (const KeyInfo& key : section.keys) {
      EXPECT_THAT(text, testing::ContainsRegex("\n" + key.name + " * = .*; (default: .+|required)"))
          << section.name;
    }
  }
}

template <typename T>
void expect_defaults_are_taken(const std::vector<Key<T>>& keys) {
  for (const Key<T>& key : keys) {
    if (key.required) continue;
    T target{};
    EXPECT_TRUE(key.set(target, key.default_value)) << key.name;
    EXPECT_EQ(key.get(target), key.default_value) << key.name;
  }
}

TEST(Keys, TakeTheirOwnDefaults) {
  expect_defaults_are_taken(daemon_keys());
  expect_defaults_are_taken(mechanisms_keys());
  expect_defaults_are_taken(usernames_keys());
  expect_defaults_are_taken(policy_keys());
  expect_defaults_are_taken(listen_keys());
  expect_defaults_are_taken(passdb_keys());
  expect_defaults_are_taken(rule_keys());
}

TEST(Problems, AreBoundedWhateverTheFileIs) {
  std::string noise;
  for (int i = 0; i < 100'000; ++i) noise += "x" + std::to_string(i) + " = 1\n";
  EXPECT_LE(parse("[daemon]\n" + noise).problems.size(), kMaxProblems);
  EXPECT_LE(parse(noise).problems.size(), kMaxProblems);
  EXPECT_LE(parse(std::string(1 << 20, '\n') + noise).problems.size(), kMaxProblems);
  EXPECT_THAT(parse(std::string(kMaxConfigLine + 1, 'x')).problems, SizeIs(1));
  std::string sections;
  for (int i = 0; i < 1000; ++i) sections += "[rule.r" + std::to_string(i) + "]\n";
  EXPECT_LE(parse(sections).config.policy.rules.size(), kMaxSections);
}

TEST(Problems, AreInTheOrderOfTheirLines) {
  int last = 0;
  for (const Problem& p : parse("[rule.x]\nby = y\n[policy]\nz = 1\n[daemon]\nw\n").problems) {
    EXPECT_GE(p.line, last);
    last = p.line;
  }
}

TEST(NeedsRestart, NamesWhatAReloadCannotChange) {
  const Config running = good("");
  EXPECT_THAT(needs_restart(running, good("[daemon]\nlog-level = debug\n")), IsEmpty());
  EXPECT_THAT(needs_restart(running, good("[daemon]\nstate-dir = /x\nrun-dir = /y\nuser = z\n"
                                          "threads = 7\nhash-threads = 3\n")),
              ElementsAre("[daemon] state-dir", "[daemon] run-dir", "[daemon] user",
                          "[daemon] threads", "[daemon] hash-threads"));
}

TEST(NeedsRestart, NamesEveryKeyOfTheStateThatChanged) {
  const Config running = good("[state]\nbackend = redis\nservers = a:1\nkey-file = /k\n");
  EXPECT_THAT(needs_restart(running, running), IsEmpty());
  EXPECT_THAT(needs_restart(running, good("")),
              ElementsAre("[state] backend", "[state] servers", "[state] key-file"));
  EXPECT_THAT(needs_restart(running, good("[state]\nbackend = redis\nservers = a:1\n"
                                          "key-file = /k\nbudget = 20ms\nprefix = x\n")),
              ElementsAre("[state] prefix", "[state] budget"));
}

TEST(State, ReadsAddressesAsTheyAreWritten) {
  const Config config = good(R"(
[state]
backend  = redis
servers  = cache.example.org:6379 192.0.2.1:6380, [2001:db8::1]:6381 /run/redis/redis-server.sock
key-file = /etc/saslatch/cluster.key
)");
  EXPECT_EQ(config.state.servers,
            (std::vector<RedisAddress>{{"cache.example.org", 6379, ""},
                                       {"192.0.2.1", 6380, ""},
                                       {"2001:db8::1", 6381, ""},
                                       {"", 0, "/run/redis/redis-server.sock"}}));
  EXPECT_EQ(all_of(good(all_of(config))), all_of(config));
  EXPECT_THAT(all_of(config), testing::HasSubstr("[2001:db8::1]:6381 /run/redis/"));
}

TEST(State, HasItsDefaults) {
  const StateConfig state = good("").state;
  EXPECT_EQ(state, StateConfig());
  EXPECT_EQ(state.backend, StateBackend::kLocal);
  EXPECT_EQ(state.prefix, "saslatch");
  EXPECT_EQ(state.budget, 50ms);
}

TEST(State, TakesEverythingThatAStrictSiteSays) {
  const StateConfig state = good(R"(
[state]
backend         = redis
servers         = s1.example.org:26379 s2.example.org:26379 s3.example.org:26379
sentinel-master = saslatch.main
tls             = yes
tls-ca-file     = /etc/saslatch/ca.pem
tls-cert-file   = /etc/saslatch/host.pem
tls-key-file    = /etc/saslatch/host.key
user            = saslatch
password-file   = /etc/saslatch/redis.password
database        = 3
key-file        = /etc/saslatch/cluster.key
prefix          = mail-1
budget          = 30ms
)")
                                .state;
  EXPECT_EQ(state.servers.size(), 3u);
  EXPECT_EQ(state.sentinel_master, "saslatch.main");
  EXPECT_TRUE(state.tls);
  EXPECT_EQ(state.tls_key_file, "/etc/saslatch/host.key");
  EXPECT_EQ(state.user, "saslatch");
  EXPECT_EQ(state.password_file, "/etc/saslatch/redis.password");
  EXPECT_EQ(state.database, 3u);
  EXPECT_EQ(state.prefix, "mail-1");
  EXPECT_EQ(state.budget, 30ms);
}

TEST(ReadConfigFile, NamesThePathAndTheReason) {
  const auto missing = read_config_file("/nonexistent/saslatch.conf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            "/nonexistent/saslatch.conf: cannot be opened: No such file or directory");
  const auto folder = read_config_file("/");
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, testing::StartsWith("/: cannot be "));
  ASSERT_FALSE(read_config_file("/dev/zero"));
}

}  // namespace
}  // namespace saslatch::config
