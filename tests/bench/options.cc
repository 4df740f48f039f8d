#include "tests/bench/options.h"

#include <charconv>
#include <fstream>
#include <istream>
#include <map>
#include <optional>

#include "protocol/base/ip_address.h"

namespace saslatch::bench {

const char kUsage[] =
    R"(usage: saslatch-bench --socket PATH | --tcp HOST:PORT [option…]

Logs in as fast as the server answers and reports logins per second, latency and, with --server-pid,
logins per CPU second of the server.

  --protocol dovecot|saslauthd        default dovecot; saslauthd has one login a connection
  --mechanism PLAIN|LOGIN|CRAM-MD5    default PLAIN; saslauthd knows passwords only
  --connections N                     default 50
  --outstanding N                     requests in flight on each connection, default 1
  --duration TIME | --count N         TIME like 500ms, 5s, 2m; default 5s
  --timeout TIME                      an answer that takes longer is lost, default 30s
  --user NAME --password-stdin        one account, its password in the first line of stdin
  --users FILE                        accounts, one NAME:PASSWORD a line, used in turn
  --wrong-percent N                   so many of 100 logins with a wrong password, each another one
  --rip ADDRESS                       the remote address to claim; default none
  --reconnect                         a new connection for each login
  --server-pid PID[,PID…]             whose CPU time to read from /proc
  --json

Exit code: 0, 64 usage, 65 an answer was wrong (a right password refused, a wrong one accepted) or
lost, 69 no server.
)";

namespace {

using std::chrono::nanoseconds;

constexpr unsigned kMaxConnections = 20000;  // what descriptors a process may have
constexpr int kMaxPid = 1 << 22;             // PID_MAX_LIMIT of Linux
constexpr unsigned kMaxOutstanding = 4096;   // saslatchd's own bound for a connection

struct Flag {
  bool has_value;
};

const std::map<std::string, Flag, std::less<>> kFlags = {
    {"--socket", {true}},          {"--tcp", {true}},
    {"--protocol", {true}},        {"--mechanism", {true}},
    {"--connections", {true}},     {"--outstanding", {true}},
    {"--duration", {true}},        {"--count", {true}},
    {"--timeout", {true}},         {"--user", {true}},
    {"--password-stdin", {false}}, {"--users", {true}},
    {"--wrong-percent", {true}},   {"--rip", {true}},
    {"--reconnect", {false}},      {"--server-pid", {true}},
    {"--json", {false}},           {"--help", {false}},
};

template <typename Number>
std::optional<Number> number_in(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < least || value > most) return std::nullopt;
  return value;
}

std::optional<nanoseconds> duration_in(std::string_view text) {
  const size_t unit_at = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto value = number_in<int64_t>(text.substr(0, unit_at), 1, 86'400'000);
  const std::string_view unit = text.substr(unit_at);
  if (!value) return std::nullopt;
  if (unit == "ms") return std::chrono::milliseconds(*value);
  if (unit == "s" && *value <= 86'400) return std::chrono::seconds(*value);
  if (unit == "m" && *value <= 1'440) return std::chrono::minutes(*value);
  return std::nullopt;
}

Result<std::vector<User>> users_in(const std::string& path) {
  std::ifstream file(path);
  if (!file) return failure("--users: cannot read " + path);
  std::vector<User> users;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    const size_t colon = line.find(':');
    if (colon == 0 || colon == std::string::npos || colon + 1 == line.size()) {
      return failure(path + ":" + std::to_string(number) + ": accepted: NAME:PASSWORD");
    }
    users.push_back({line.substr(0, colon), line.substr(colon + 1)});
  }
  if (users.empty()) return failure("--users: " + path + " names nobody");
  return users;
}

// The options as given, before their values are looked at.
using Given = std::map<std::string, std::string, std::less<>>;

Result<Given> given_in(const std::vector<std::string>& arguments) {
  Given given;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    std::optional<std::string> value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    const auto flag = kFlags.find(name);
    if (flag == kFlags.end()) return failure("unknown argument '" + name + "'; see --help");
    if (flag->second.has_value != value.has_value()) {
      if (value) return failure(name + " takes no value");
      if (++i == arguments.size()) return failure(name + " needs a value");
      value = arguments[i];
    }
    if (!given.emplace(name, value.value_or("")).second) return failure(name + " is given twice");
  }
  return given;
}

class Reader {
 public:
  Reader(const Given& given, std::istream& in) : given_(given), in_(in) {}

  Result<Options> read() {
    options_.help = has("--help");
    if (options_.help) return std::move(options_);
    read_server();
    read_choices();
    read_numbers();
    read_users();
    if (!error_.empty()) return failure(error_);
    return std::move(options_);
  }

 private:
  bool has(std::string_view name) const { return given_.find(name) != given_.end(); }
  std::string value(std::string_view name) const {
    const auto found = given_.find(name);
    return found == given_.end() ? "" : found->second;
  }
  void fail(const std::string& message) {
    if (error_.empty()) error_ = message;
  }

  void read_server() {
    if (has("--socket") == has("--tcp")) {
      return fail("one of --socket PATH and --tcp HOST:PORT is needed");
    }
    options_.socket = value("--socket");
    if (has("--socket") && options_.socket.empty()) return fail("--socket: empty path");
    if (!has("--tcp")) return;
    const std::string tcp = value("--tcp");
    const size_t colon = tcp.rfind(':');
    if (colon == std::string::npos || colon == 0 ||
        !number_in<unsigned>(tcp.substr(colon + 1), 1, 65535)) {
      return fail("--tcp " + tcp + ": accepted: HOST:PORT");
    }
    options_.host = tcp.substr(0, colon);
    options_.port = tcp.substr(colon + 1);
  }

  void read_choices() {
    if (has("--protocol")) {
      if (value("--protocol") == "saslauthd") {
        options_.protocol = Protocol::kSaslauthd;
      } else if (value("--protocol") != "dovecot") {
        fail("--protocol " + value("--protocol") + ": accepted: dovecot, saslauthd");
      }
    }
    if (has("--mechanism")) {
      const std::string mechanism = value("--mechanism");
      if (mechanism == "LOGIN") {
        options_.mechanism = Mechanism::kLogin;
      } else if (mechanism == "CRAM-MD5") {
        options_.mechanism = Mechanism::kCramMd5;
      } else if (mechanism != "PLAIN") {
        fail("--mechanism " + mechanism + ": accepted: PLAIN, LOGIN, CRAM-MD5");
      }
    }
    if (has("--rip")) {
      options_.rip = value("--rip");
      if (!IpAddress::parse(options_.rip)) fail("--rip " + options_.rip + ": not an IP address");
    }
    options_.reconnect = has("--reconnect");
    options_.json = has("--json");
    if (options_.protocol == Protocol::kSaslauthd) {
      options_.reconnect = true;
      if (options_.mechanism != Mechanism::kPlain) fail("saslauthd knows no --mechanism but PLAIN");
    }
  }

  template <typename Number>
  void read_number(const char* name, Number least, Number most, Number& target) {
    if (!has(name)) return;
    const auto number = number_in<Number>(value(name), least, most);
    if (!number) {
      return fail(std::string(name) + " " + value(name) + ": accepted: " + std::to_string(least) +
                  " to " + std::to_string(most));
    }
    target = *number;
  }

  void read_duration(const char* name, nanoseconds& target) {
    if (!has(name)) return;
    const auto duration = duration_in(value(name));
    if (!duration) return fail(std::string(name) + " " + value(name) + ": accepted: 500ms 5s 2m");
    target = *duration;
  }

  void read_numbers() {
    read_number<unsigned>("--connections", 1, kMaxConnections, options_.connections);
    read_number<unsigned>("--outstanding", 1, kMaxOutstanding, options_.outstanding);
    read_number<unsigned>("--wrong-percent", 0, 100, options_.wrong_percent);
    read_number<uint64_t>("--count", 1, 1'000'000'000, options_.count);
    if (has("--count") && has("--duration")) fail("--count and --duration exclude each other");
    options_.duration = std::chrono::seconds(5);
    read_duration("--duration", options_.duration);
    read_duration("--timeout", options_.timeout);
    if (options_.reconnect && options_.outstanding != 1) {
      fail("--outstanding is 1 where each login has its own connection");
    }
    read_server_pids();
  }

  void read_server_pids() {
    if (!has("--server-pid")) return;
    const std::string list = value("--server-pid");
    for (std::string_view rest = list;;) {
      const size_t comma = std::min(rest.find(','), rest.size());
      const auto pid = number_in<int>(rest.substr(0, comma), 1, kMaxPid);
      if (!pid) return fail("--server-pid " + list + ": accepted: PID[,PID…]");
      options_.server_pids.push_back(*pid);
      if (comma == rest.size()) return;
      rest.remove_prefix(comma + 1);
    }
  }

  void read_users() {
    if (has("--users") == has("--user")) {
      return fail("one of --user NAME and --users FILE is needed");
    }
    if (has("--users")) {
      auto users = users_in(value("--users"));
      if (!users) return fail(users.error().message);
      options_.users = std::move(*users);
      return;
    }
    if (!has("--password-stdin")) return fail("--user needs --password-stdin");
    User user{value("--user"), ""};
    std::getline(in_, user.password);
    if (user.name.empty() || user.password.empty()) return fail("empty user or password");
    options_.users.push_back(std::move(user));
  }

  const Given& given_;
  std::istream& in_;
  Options options_;
  std::string error_;  // the first one
};

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments, std::istream& in) {
  const auto given = given_in(arguments);
  if (!given) return tl::unexpected(given.error());
  return Reader(*given, in).read();
}

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kDovecot:
      return "dovecot";
    case Protocol::kSaslauthd:
      return "saslauthd";
  }
  return "";
}

std::string_view name_of(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::kPlain:
      return "PLAIN";
    case Mechanism::kLogin:
      return "LOGIN";
    case Mechanism::kCramMd5:
      return "CRAM-MD5";
  }
  return "";
}

}  // namespace saslatch::bench
