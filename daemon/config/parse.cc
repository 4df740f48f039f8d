#include "daemon/config/parse.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <set>
#include <system_error>

#include "daemon/config/keys.h"
#include "daemon/config/reader.h"
#include "daemon/policy/presets.h"

namespace saslatch::config {
namespace {

namespace po = boost::program_options;

// A value that its key does not take; carries the message through Program_options.
class Rejected : public po::error {
 public:
  using po::error::error;
};

class Parser {
 public:
  explicit Parser(FileLines file) : file_(std::move(file)) {
    parsed_.problems = std::move(file_.problems);
    for (const Section& section : file_.sections) {
      parsed_.lines[{section.text, ""}] = section.line;
      for (const Entry& entry : section.entries) {
        parsed_.lines[{section.text, entry.key}] = entry.line;
      }
    }
  }

  Parsed parse() {
    Config& config = parsed_.config;
    read_all("daemon", daemon_keys(), config);
    read_all("mechanisms", mechanisms_keys(), config);
    read_all("usernames", usernames_keys(), config);
    read_all("codes", codes_keys(), config);
    read_all("policy", policy_keys(), config);
    read_all("state", state_keys(), config);
    read_listeners();
    read_passdbs();
    read_rules();
    check_state();
    if (!parsed_.has_errors()) {
      for (std::string& text : policy::errors(config.policy)) {
        const int line = parsed_.line_of_text(text);
        error(line, std::move(text));
      }
    }
    std::stable_sort(parsed_.problems.begin(), parsed_.problems.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
    if (parsed_.problems.size() > kMaxProblems) parsed_.problems.resize(kMaxProblems);
    return std::move(parsed_);
  }

 private:
  void error(int line, std::string text) {
    parsed_.problems.push_back({Problem::Kind::kError, line, std::move(text)});
  }
  void error(const Place& place, const std::string& text) {
    std::string where = "[" + place.section + "]";
    if (!place.key.empty()) where += " " + place.key;
    error(parsed_.line_of(place.section, place.key), where + ": " + text);
  }

  // Hands the entries one by one to Program_options, which knows the names and calls the notifier.
  template <typename T>
  void read_section(const Section& section, const std::vector<Key<T>>& keys, T& target) {
    po::options_description description;
    std::vector<std::string> names;
    for (const Key<T>& key : keys) {
      names.push_back(key.name);
      const auto take = [&key, &target](const std::string& value) {
        const auto taken = key.set(target, value);
        if (taken) return;
        const std::string reason = taken.error().empty() ? "" : " (" + taken.error() + ")";
        throw Rejected(key.name + " = " + shown(value) + " is wrong" + reason +
                       "; accepted: " + key.accepts);
      };
      description.add_options()(key.name.c_str(), po::value<std::string>()->notifier(take));
    }
    for (const Entry& entry : section.entries) {
      if (parsed_.problems.size() >= kMaxProblems) return;
      read_entry(section, entry, description, names);
    }
  }

  void read_entry(const Section& section, const Entry& entry,
                  const po::options_description& description,
                  const std::vector<std::string>& names) {
    try {
      po::parsed_options options(&description);
      options.options.emplace_back(entry.key, std::vector<std::string>{entry.value});
      po::variables_map values;
      po::store(options, values);
      po::notify(values);
      return;
    } catch (const Rejected& rejected) {
      error(entry.line, "[" + section.text + "] " + rejected.what());
    } catch (const po::error&) {
      std::string all;
      for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
      error(entry.line, "[" + section.text + "] " + shown(entry.key) + " is no key" +
                            suggestion(entry.key, names) + "; accepted: " + all);
    }
    rejected_.insert({section.text, entry.key});
  }

  // Given, and with a value that its key takes.
  [[nodiscard]] bool is_given(const Section& section, const std::string& key) const {
    const Place place{section.text, key};
    return parsed_.lines.contains(place) && !rejected_.contains(place);
  }
  [[nodiscard]] bool is_rejected(const std::string& section, const std::string& key) const {
    return rejected_.contains({section, key});
  }

  // Says which keys without a default are not given.
  template <typename T>
  void demand_required(const Section& section, const std::vector<Key<T>>& keys) {
    for (const Key<T>& key : keys) {
      if (!key.required || !key.drivers.empty()) continue;
      if (parsed_.lines.contains({section.text, key.name})) continue;
      error(section.line,
            "[" + section.text + "] " + key.name + " is missing; accepted: " + key.accepts);
    }
  }

  template <typename T>
  void read_all(std::string_view kind, const std::vector<Key<T>>& keys, T& target) {
    for (const Section& section : file_.sections) {
      if (section.kind == kind) read_section(section, keys, target);
    }
  }

  void read_listeners() {
    Config& config = parsed_.config;
    const auto keys = listen_keys();
    for (const Section& section : file_.sections) {
      if (section.kind != "listen") continue;
      ListenConfig listen;
      listen.name = section.name;
      read_section(section, keys, listen);
      demand_required(section, keys);
      check_listener(section, listen);
      config.listen.push_back(std::move(listen));
    }
    if (config.listen.empty()) {
      ListenConfig listen;
      listen.name = "auth";
      listen.socket = config.daemon.run_dir + "/auth";
      config.listen.push_back(std::move(listen));
    }
  }

  void check_listener(const Section& section, const ListenConfig& listen) {
    const std::string socket = to_string(listen.socket);
    if (socket.empty()) return;  // missing or wrong, which has been told
    const auto [other, is_new] = sockets_.emplace(socket, section.text);
    if (!is_new) {
      error({section.text, "socket"}, shown(socket) + " is the socket of [" + other->second +
                                          "] in line " +
                                          std::to_string(parsed_.line_of(other->second, "socket")) +
                                          " already; accepted: a socket of its own");
    }
    if (socket == parsed_.config.daemon.run_dir + "/control") {
      error({section.text, "socket"},
            shown(socket) + " is the control socket's; accepted: another path");
    }
    const auto* tcp = std::get_if<TcpAddress>(&listen.socket);
    if (tcp == nullptr) return;
    if (!is_loopback(tcp->address) && !listen.allow_remote) {
      error({section.text, "socket"},
            socket +
                " can be reached by other hosts; accepted: an address in 127.0.0.0/8, [::1], "
                "a UNIX socket, or allow-remote = yes beside it");
    }
    const ListenConfig fresh;
    const std::pair<const char*, bool> kUnixOnly[] = {{"mode", listen.mode != fresh.mode},
                                                      {"owner", listen.owner != fresh.owner},
                                                      {"group", listen.group != fresh.group}};
    for (const auto& [key, given] : kUnixOnly) {
      if (!given) continue;
      error({section.text, key},
            "is for UNIX sockets, and socket = " + socket + " is none; accepted: leave it out");
    }
  }

  static bool is_loopback(const IpAddress& address) {
    return Network::parse("127.0.0.0/8")->contains(address) ||
           Network::parse("::1")->contains(address);
  }

  void read_passdbs() {
    Config& config = parsed_.config;
    const auto keys = passdb_keys();
    for (const Section& section : file_.sections) {
      if (section.kind != "passdb") continue;
      PassdbConfig passdb;
      passdb.name = section.name;
      read_section(section, keys, passdb);
      demand_required(section, keys);
      if (is_given(section, "driver")) check_passdb(section, passdb, keys);
      config.passdb.push_back(std::move(passdb));
    }
    if (config.passdb.empty()) config.passdb.emplace_back().name = "embedded";
  }

  // Keys of other drivers, and what this one must have.
  void check_passdb(const Section& section, const PassdbConfig& passdb,
                    const std::vector<Key<PassdbConfig>>& keys) {
    const std::string driver(to_string(passdb.driver));
    for (const Key<PassdbConfig>& key : keys) {
      const Place place{section.text, key.name};
      const bool is_there = parsed_.lines.contains(place);
      if (is_there && !key.is_for(driver)) {
        std::string others;
        for (const std::string& other : key.drivers) others += (others.empty() ? "" : ", ") + other;
        // Only where there is an error.
        // NOLINTNEXTLINE(performance-inefficient-string-concatenation)
        error(place, "is for driver = " + others + "; accepted with driver = " + driver +
                         ": leave it out");
      } else if (!is_there && key.required && !key.drivers.empty() && key.is_for(driver)) {
        error(place, "is missing; accepted with driver = " + driver + ": " + key.accepts);
      }
    }
    if (passdb.driver == PassdbDriver::kSql) check_sql(section, passdb);
  }

  void check_sql(const Section& section, const PassdbConfig& passdb) {
    if (passdb.sql.backend != passdb::SqlSettings::Backend::kSqlite) return;
    if (is_given(section, "database") && !passdb.sql.database.starts_with('/')) {
      error({section.text, "database"}, shown(passdb.sql.database) +
                                            " is no file; accepted with backend = sqlite: an "
                                            "absolute path");
    }
    for (const char* key : {"host", "port", "user", "password-file", "tls", "tls-ca-file"}) {
      if (!is_given(section, key)) continue;
      error({section.text, key},
            "is for a server; accepted with backend = sqlite, which has none: leave it out");
    }
  }

  void read_rules() {
    Config& config = parsed_.config;
    const bool has_rules = std::any_of(file_.sections.begin(), file_.sections.end(),
                                       [](const Section& s) { return s.kind == "rule"; });
    const bool changes_preset = parsed_.lines.contains({"policy", "preset"});
    if (has_rules && !changes_preset) config.preset = "none";
    config.policy.rules = policy::preset_rules(config.preset).value_or(std::vector<policy::Rule>());
    const auto keys = rule_keys();
    for (const Section& section : file_.sections) {
      if (section.kind == "rule") read_rule(section, keys);
    }
  }

  void read_rule(const Section& section, const std::vector<Key<policy::Rule>>& keys) {
    std::vector<policy::Rule>& rules = parsed_.config.policy.rules;
    const auto known = std::find_if(rules.begin(), rules.end(), [&](const policy::Rule& rule) {
      return rule.name == section.name;
    });
    if (known != rules.end()) {  // of the preset: what is not said stays
      read_section(section, keys, *known);
      return check_rule(section, *known);
    }
    policy::Rule rule;
    rule.name = section.name;
    read_section(section, keys, rule);
    if (!is_rejected("policy", "preset")) {  // else it may be a change to a rule of that preset
      demand_required(section, keys);
      check_rule(section, rule);
    }
    rules.push_back(std::move(rule));
  }

  void check_rule(const Section& section, const policy::Rule& rule) {
    const bool needs_time = rule.then != policy::Then::kRefuse;
    if (!needs_time || rule.lasts.count() > 0 || is_rejected(section.text, "for")) return;
    if (!is_given(section, "then") && !is_given(section, "for")) return;
    error({section.text, "for"}, "is missing; accepted with then = " +
                                     std::string(policy::to_string(rule.then)) + ": a duration");
  }

  void check_state() {
    const StateConfig& state = parsed_.config.state;
    if (is_rejected("state", "backend")) return;
    switch (state.backend) {
      case StateBackend::kLocal:
        for (const Key<Config>& key : state_keys()) {
          if (key.get(parsed_.config) == key.default_value) continue;
          error({"state", key.name},
                "is for backend = redis; accepted with backend = local: leave it out");
        }
        return;
      case StateBackend::kRedis:
        demand_for_redis("servers", state.servers.empty(), "HOST:PORT or a UNIX socket's path");
        demand_for_redis("key-file", state.key_file.empty(),
                         "the path of a key that all hosts share, made by: head -c 32 "
                         "/dev/urandom | base64 > FILE");
        check_redis_login(state);
        check_redis_tls(state);
        check_redis_budget(state);
        return;
    }
  }

  void demand_for_redis(const std::string& key, bool is_missing, const std::string& accepted) {
    if (!is_missing || is_rejected("state", key)) return;
    error({"state", key}, "is missing; accepted with backend = redis: " + accepted);
  }

  void check_redis_login(const StateConfig& state) {
    if (state.user.empty() || !state.password_file.empty()) return;
    if (is_rejected("state", "password-file")) return;
    error({"state", "user"}, "has no password; accepted: password-file beside it");
  }

  void check_redis_tls(const StateConfig& state) {
    if (!state.tls) {
      if (is_rejected("state", "tls")) return;
      const std::pair<const char*, bool> kTlsOnly[] = {
          {"tls-ca-file", !state.tls_ca_file.empty()},
          {"tls-cert-file", !state.tls_cert_file.empty()},
          {"tls-key-file", !state.tls_key_file.empty()}};
      for (const auto& [key, given] : kTlsOnly) {
        if (given) error({"state", key}, "is for tls = yes; accepted with tls = no: leave it out");
      }
      return;
    }
    if (state.tls_cert_file.empty() != state.tls_key_file.empty() &&
        !is_rejected("state", "tls-cert-file") && !is_rejected("state", "tls-key-file")) {
      error({"state", state.tls_cert_file.empty() ? "tls-key-file" : "tls-cert-file"},
            "is half of two; accepted: tls-cert-file and tls-key-file, or neither");
    }
    for (const RedisAddress& server : state.servers) {
      if (!server.host.empty()) continue;
      error({"state", "servers"}, shown(server.path) +
                                      " has no host name that a certificate could be good for; "
                                      "accepted with tls = yes: HOST:PORT");
    }
  }

  // A mapped name asks twice, and the answer must leave inside max-hold all the same.
  void check_redis_budget(const StateConfig& state) {
    const auto most = parsed_.config.policy.max_hold / 4;
    if (state.budget <= most) return;
    error({"state", "budget"}, "is more than a quarter of [policy] max-hold; accepted: at most " +
                                   std::to_string(most.count()) + "ms");
  }

  FileLines file_;
  Parsed parsed_;
  std::set<Place> rejected_;
  std::map<std::string, std::string> sockets_;  // address: section
};

}  // namespace

std::string to_string(const Problem& problem, std::string_view filename) {
  std::string text(filename);
  if (problem.line > 0) text += ":" + std::to_string(problem.line);
  switch (problem.kind) {
    case Problem::Kind::kError:
      text += ": error: ";
      break;
    case Problem::Kind::kWarning:
      text += ": warning: ";
      break;
  }
  return text + problem.text;
}

bool Parsed::has_errors() const {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& p) { return p.kind == Problem::Kind::kError; });
}

int Parsed::line_of(const std::string& section, const std::string& key) const {
  for (const Place& place : {Place{section, key}, Place{section, ""}}) {
    const auto found = lines.find(place);
    if (found != lines.end()) return found->second;
  }
  return 0;
}

int Parsed::line_of_text(std::string_view text) const {
  const size_t end = text.find("] ");
  if (!text.starts_with('[') || end == std::string_view::npos) return 0;
  const std::string_view rest = text.substr(end + 2);
  return line_of(std::string(text.substr(1, end - 1)),
                 std::string(rest.substr(0, rest.find_first_of(" :;"))));
}

Parsed parse(std::string_view text) { return Parser(read_lines(text)).parse(); }

Result<std::string> read_config_file(const std::string& path) {
  const auto why = [](int error) { return std::generic_category().message(error); };
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (file == nullptr) return failure(path + ": cannot be opened: " + why(errno));
  std::string text(kMaxConfigBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return failure(path + ": cannot be read: " + why(errno));
  if (text.size() > kMaxConfigBytes) {
    return failure(path + ": is longer than " + std::to_string(kMaxConfigBytes) +
                   " bytes and hardly a configuration");
  }
  return text;
}

}  // namespace saslatch::config
