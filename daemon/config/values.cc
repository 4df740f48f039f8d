#include "daemon/config/values.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "daemon/policy/presets.h"
#include "protocol/sasl/mechanisms.h"

namespace saslatch::config {
namespace {

constexpr size_t kLongestSocketPath = 107;  // sockaddr_un::sun_path with its NUL
constexpr size_t kLongestName = 255;

tl::unexpected<Reason> rejected(Reason reason = {}) {
  return tl::unexpected<Reason>(std::move(reason));
}

// All of `text`, in decimal digits only.
std::optional<uint64_t> parse_digits(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

struct Unit {
  std::string_view name;
  int64_t milliseconds;
};
constexpr std::array<Unit, 5> kUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

std::string print_duration(Milliseconds value) {
  if (value.count() == 0) return "0";
  for (const Unit& unit : kUnits) {
    if (value.count() % unit.milliseconds == 0) {
      return std::to_string(value.count() / unit.milliseconds) + std::string(unit.name);
    }
  }
  return {};  // never: every number is a multiple of one millisecond
}

std::optional<Milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return Milliseconds(0);
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_digits(text.substr(0, digits));
  for (const Unit& unit : kUnits) {
    if (text.substr(digits) != unit.name || !count) continue;
    if (*count > static_cast<uint64_t>(INT64_MAX / unit.milliseconds)) return {};
    return Milliseconds(static_cast<int64_t>(*count) * unit.milliseconds);
  }
  return {};
}

bool is_made_of(std::string_view text, bool (*accepted)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), accepted);
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

// The words of a list, separated by blanks or commas.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view kSeparators = " \t,";
  for (size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kSeparators, end);
  }
  return words;
}

std::optional<TcpAddress> parse_tcp(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto port = parse_digits(text.substr(colon + 1));
  // Without brackets the port of an IPv6 address could be a part of it.
  if (!address || (host.find(':') != std::string_view::npos) != bracketed) return {};
  if (!port || *port == 0 || *port > UINT16_MAX) return {};
  return TcpAddress{*address, static_cast<uint16_t>(*port)};
}

// The part before the port. A name that begins with a digit and has nothing but digits and dots is
// an address, or wrong.
bool is_host(std::string_view host, bool bracketed) {
  if (bracketed || host.find_first_not_of("0123456789.") == std::string_view::npos) {
    const auto address = IpAddress::parse(host);
    return address && address->is_v4() != bracketed;
  }
  return host.size() <= kLongestName && is_made_of(host, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
         });
}

std::optional<RedisAddress> parse_redis_address(std::string_view text) {
  if (text.starts_with('/')) {
    if (text.ends_with('/') || text.size() > kLongestSocketPath) return {};
    return RedisAddress{"", 0, std::string(text)};
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto port = parse_digits(text.substr(colon + 1));
  if (!is_host(host, bracketed) || !port || *port == 0 || *port > UINT16_MAX) return {};
  return RedisAddress{std::string(host), static_cast<uint16_t>(*port), ""};
}

std::string print_factor(double factor) {
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), factor, std::chars_format::fixed).ptr;
  return {text.data(), end};
}

}  // namespace

Kind<password::MainPasswordRules> main_password() {
  using Rules = password::MainPasswordRules;
  return {std::string(Rules::accepts()),
          [](std::string_view text) -> Value<Rules> {
            auto rules = Rules::parse(text);
            if (!rules) return tl::unexpected(Reason(rules.error().message));
            return *std::move(rules);
          },
          [](const Rules& rules) { return rules.to_string(); }};
}

Kind<bool> yes_or_no() { return one_of<bool>({{"yes", true}, {"no", false}}); }

Kind<uint64_t> number(uint64_t least, uint64_t most) {
  return {"a number from " + std::to_string(least) + " to " + std::to_string(most),
          [=](std::string_view text) -> Value<uint64_t> {
            const auto value = parse_digits(text);
            if (!value || *value < least || *value > most) return rejected();
            return *value;
          },
          [](const uint64_t& value) { return std::to_string(value); }};
}

Kind<uint64_t> size(uint64_t least, uint64_t most) {
  Kind<uint64_t> plain = number(least, most);
  return {plain.accepts + ", which may end in K, M or G",
          [=](std::string_view text) -> Value<uint64_t> {
            constexpr std::string_view kSuffixes = "KMG";
            const size_t suffix =
                text.empty() ? std::string_view::npos : kSuffixes.find(text.back());
            if (suffix == std::string_view::npos) return plain.parse(text);
            const auto value = parse_digits(text.substr(0, text.size() - 1));
            const size_t shift = 10 * (suffix + 1);
            if (!value || *value > (most >> shift) || (*value << shift) < least) return rejected();
            return *value << shift;
          },
          plain.print};
}

Kind<Milliseconds> duration(Milliseconds least, Milliseconds most) {
  return {"a duration from " + print_duration(least) + " to " + print_duration(most) +
              ", like 500ms 10s 5m 2h 7d",
          [=](std::string_view text) -> Value<Milliseconds> {
            const auto value = parse_duration(text);
            if (!value || *value < least || *value > most) return rejected();
            return *value;
          },
          [](const Milliseconds& value) { return print_duration(value); }};
}

Kind<std::string> path(size_t longest) {
  return {"an absolute path of at most " + std::to_string(longest) + " bytes",
          [=](std::string_view text) -> Value<std::string> {
            if (text.empty() || text.front() != '/' || text.size() > longest) return rejected();
            while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
            return std::string(text);
          },
          [](const std::string& value) { return value; }};
}

Kind<std::string> text(size_t longest, std::string accepts) {
  return {std::move(accepts) + " of at most " + std::to_string(longest) + " bytes",
          [=](std::string_view given) -> Value<std::string> {
            const bool is_clean = std::all_of(given.begin(), given.end(), [](char c) {
              return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
            });
            if (given.empty() || given.size() > longest || !is_clean) return rejected();
            return std::string(given);
          },
          [](const std::string& value) { return value; }};
}

Kind<SocketAddress> socket_address() {
  return {"a socket's absolute path of at most " + std::to_string(kLongestSocketPath) +
              " bytes, or ADDRESS:PORT like 127.0.0.1:12345 or [::1]:12345",
          [](std::string_view text) -> Value<SocketAddress> {
            if (const auto tcp = parse_tcp(text)) return SocketAddress(*tcp);
            const bool is_path = !text.empty() && text.front() == '/' && text.back() != '/';
            if (!is_path || text.size() > kLongestSocketPath) return rejected();
            return SocketAddress(std::string(text));
          },
          [](const SocketAddress& value) { return to_string(value); }};
}

Kind<mode_t> file_mode() {
  return {"an octal mode from 0000 to 0777",
          [](std::string_view text) -> Value<mode_t> {
            unsigned mode = 0;
            const auto [end, error] =
                std::from_chars(text.data(), text.data() + text.size(), mode, 8);
            const bool whole = end == text.data() + text.size() && !text.empty();
            if (error != std::errc() || !whole || mode > 0777) return rejected();
            return static_cast<mode_t>(mode);
          },
          [](const mode_t& value) {
            std::string text = "0000";
            for (size_t i = 0; i < 4; ++i) {
              text[3 - i] = static_cast<char>('0' + (value >> 3 * i & 7));
            }
            return text;
          }};
}

Kind<std::string> account() {
  return {"a name or number",
          [](std::string_view text) -> Value<std::string> {
            const bool well_formed = is_made_of(text, [](char c) {
              return is_alphanumeric(c) || c == '_' || c == '-' || c == '.' || c == '$';
            });
            if (!well_formed || text.size() > kLongestName) return rejected();
            return std::string(text);
          },
          [](const std::string& value) { return value; }};
}

Kind<std::string> domain() {
  return {"a domain without @",
          [](std::string_view text) -> Value<std::string> {
            const bool well_formed = is_made_of(text, [](char c) {
              return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || (c & 0x80) != 0;
            });
            if (!well_formed || text.size() > kLongestName) return rejected();
            return std::string(text);
          },
          [](const std::string& value) { return value; }};
}

Kind<std::string> character_set() {
  return {"printable ASCII characters without blanks",
          [](std::string_view text) -> Value<std::string> {
            if (!is_made_of(text, [](char c) { return c > ' ' && c < 0x7f; })) return rejected();
            return std::string(text);
          },
          [](const std::string& value) { return value; }};
}

Kind<std::string> scheme() {
  return {"a password scheme like CRYPT, PLAIN or SSHA512",
          [](std::string_view text) -> Value<std::string> {
            const bool well_formed =
                is_made_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
            if (!well_formed || text.size() > kLongestName) return rejected();
            return upper(text);
          },
          [](const std::string& value) { return value; }};
}

Kind<std::vector<std::string>> mechanisms() {
  std::string known;
  for (const auto& info : sasl::known_mechanisms()) {
    known += (known.empty() ? "" : " ") + std::string(info.name);
  }
  return {"a list out of " + known + ", each once",
          [](std::string_view text) -> Value<std::vector<std::string>> {
            std::vector<std::string> offer;
            const auto all = sasl::known_mechanisms();
            for (const std::string_view word : words_of(text)) {
              const std::string name = upper(word);
              const auto is_it = [&](const auto& info) { return info.name == name; };
              if (std::none_of(all.begin(), all.end(), is_it)) {
                return rejected(name + " is no mechanism that saslatch knows");
              }
              if (std::find(offer.begin(), offer.end(), name) != offer.end()) {
                return rejected(name + " is given twice");
              }
              offer.push_back(name);
            }
            if (offer.empty()) return rejected("smtpd stops where no mechanism is left");
            return offer;
          },
          [](const std::vector<std::string>& value) {
            std::string text;
            for (const std::string& name : value) text += (text.empty() ? "" : " ") + name;
            return text;
          }};
}

Kind<std::vector<Network>> networks() {
  return {"addresses and networks like 192.0.2.1 198.51.100.0/24 2001:db8::/32, or nothing",
          [](std::string_view text) -> Value<std::vector<Network>> {
            std::vector<Network> all;
            for (const std::string_view word : words_of(text)) {
              const auto network = Network::parse(word);
              if (!network) return rejected(std::string(word) + " is none");
              all.push_back(*network);
            }
            return all;
          },
          [](const std::vector<Network>& value) {
            std::string text;
            for (const Network& network : value) {
              const bool lone = network.prefix() == (network.address().is_v4() ? 32 : 128);
              text += text.empty() ? "" : " ";
              text += lone ? network.address().to_string() : network.to_string();
            }
            return text;
          }};
}

Kind<std::string> preset() {
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& known : policy::presets()) names.emplace_back(known.name, known.name);
  return one_of(std::move(names));
}

Kind<policy::Limit> limit() {
  const auto events = number(1, policy::kMaxLimitEvents);
  const auto window = duration(std::chrono::seconds(1), policy::kMaxWindow);
  return {"EVENTS/DURATION like 10/10m: " + events.accepts + " in " + window.accepts,
          [=](std::string_view text) -> Value<policy::Limit> {
            const size_t slash = text.find('/');
            if (slash == std::string_view::npos) return rejected();
            const auto n = events.parse(text.substr(0, slash));
            const auto t = window.parse(text.substr(slash + 1));
            if (!n || !t) return rejected();
            return policy::Limit{static_cast<uint32_t>(*n), *t};
          },
          [=](const policy::Limit& value) {
            return std::to_string(value.events) + "/" + print_duration(value.window);
          }};
}

Kind<policy::Growth> growth() {
  constexpr double kLargestFactor = 100;
  const auto cap = duration(std::chrono::seconds(1), policy::kMaxLock);
  return {"xFACTOR up to DURATION like x2 up to 1h: a factor above 1 and at most 100, and " +
              cap.accepts,
          [=](std::string_view text) -> Value<policy::Growth> {
            const auto words = words_of(text);
            if (words.size() != 4 || words[1] != "up" || words[2] != "to") return rejected();
            policy::Growth growth;
            const std::string_view factor = words[0];
            const char* last = factor.data() + factor.size();
            const auto [end, error] =
                std::from_chars(factor.data() + 1, last, growth.factor, std::chars_format::fixed);
            const bool is_factor = factor.front() == 'x' && error == std::errc() && end == last;
            if (!is_factor || !(growth.factor > 1) || growth.factor > kLargestFactor) {
              return rejected();
            }
            const auto longest = cap.parse(words[3]);
            if (!longest) return rejected();
            growth.cap = *longest;
            return growth;
          },
          [](const policy::Growth& value) {
            return "x" + print_factor(value.factor) + " up to " + print_duration(value.cap);
          }};
}

Kind<std::vector<RedisAddress>> redis_addresses() {
  return {"up to " + std::to_string(kMostRedisServers) +
              " of HOST:PORT and paths of UNIX sockets, like cache.example.org:6379 "
              "192.0.2.1:6379 [2001:db8::1]:6379 /run/redis/redis-server.sock",
          [](std::string_view text) -> Value<std::vector<RedisAddress>> {
            std::vector<RedisAddress> all;
            for (const std::string_view word : words_of(text)) {
              const auto address = parse_redis_address(word);
              if (!address) return rejected(std::string(word) + " is none");
              if (std::find(all.begin(), all.end(), *address) != all.end()) {
                return rejected(std::string(word) + " is given twice");
              }
              all.push_back(*address);
            }
            if (all.size() > kMostRedisServers) return rejected();
            return all;
          },
          [](const std::vector<RedisAddress>& value) {
            std::string text;
            for (const RedisAddress& address : value) {
              text += (text.empty() ? "" : " ") + address.to_string();
            }
            return text;
          }};
}

Kind<std::string> redis_name() {
  constexpr size_t kLongest = 64;
  return {"letters, digits, '-', '_' and '.', at most " + std::to_string(kLongest),
          [](std::string_view text) -> Value<std::string> {
            const bool well_formed = is_made_of(text, [](char c) {
              return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
            });
            if (!well_formed || text.size() > kLongest) return rejected();
            return std::string(text);
          },
          [](const std::string& value) { return value; }};
}

}  // namespace saslatch::config
