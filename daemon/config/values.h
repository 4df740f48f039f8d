#ifndef SASLATCH_DAEMON_CONFIG_VALUES_H_
#define SASLATCH_DAEMON_CONFIG_VALUES_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "daemon/config/config.h"

namespace saslatch::config {

// What is wrong with a value beyond not being what is accepted ("FOO is no mechanism"); may be
// empty.
using Reason = std::string;
template <typename V>
using Value = tl::expected<V, Reason>;

// A type of value as it stands in the file. print() of what parse() returned parses to the same.
template <typename V>
struct Kind {
  std::string accepts;  // "a number from 0 to 256"
  std::function<Value<V>(std::string_view)> parse;
  std::function<std::string(const V&)> print;
  std::string nothing = {};  // what an empty value stands for, if it is accepted and more than that
};

using Milliseconds = std::chrono::milliseconds;

Kind<bool> yes_or_no();
Kind<uint64_t> number(uint64_t least, uint64_t most);
// A number that may end in K, M or G (1024, ...).
Kind<uint64_t> size(uint64_t least, uint64_t most);
// 500ms 10s 5m 2h 7d; a bare 0 where `least` is 0.
Kind<Milliseconds> duration(Milliseconds least, Milliseconds most);
// An absolute path of at most `longest` bytes.
Kind<std::string> path(size_t longest);
// A UNIX socket's absolute path (sockaddr_un takes 107 bytes), or ADDRESS:PORT.
Kind<SocketAddress> socket_address();
Kind<mode_t> file_mode();
// A user or group, by name or number.
Kind<std::string> account();
Kind<std::string> domain();
Kind<std::string> character_set();
Kind<std::string> scheme();
Kind<std::vector<std::string>> mechanisms();
Kind<std::vector<Network>> networks();
Kind<password::MainPasswordRules> main_password();
Kind<std::string> preset();
Kind<policy::Limit> limit();
Kind<policy::Growth> growth();
// HOST:PORT and paths of UNIX sockets, at most kMostRedisServers, each once; may be empty.
// Any text without control characters, of 1 to `longest` bytes.
Kind<std::string> text(size_t longest, std::string accepts);
Kind<std::vector<RedisAddress>> redis_addresses();
// What is safe inside a key of Redis and as a word of its configuration.
Kind<std::string> redis_name();

// A list is tried one by one, and each may take its time.
inline constexpr size_t kMostRedisServers = 16;

// One of the given words.
template <typename V>
Kind<V> one_of(std::vector<std::pair<std::string, V>> words) {
  std::string accepts;
  for (const auto& [word, value] : words) accepts += (accepts.empty() ? "" : " | ") + word;
  return {accepts,
          [words](std::string_view text) -> Value<V> {
            for (const auto& [word, value] : words) {
              if (word == text) return value;
            }
            return tl::unexpected(Reason());
          },
          [words](const V& value) {
            for (const auto& [word, known] : words) {
              if (known == value) return word;
            }
            return std::string();
          }};
}

// The same value as another integer type; the bounds of `kind` fit it.
template <typename To>
Kind<To> as(Kind<uint64_t> kind) {
  return {kind.accepts,
          [kind](std::string_view text) -> Value<To> {
            return kind.parse(text).map([](uint64_t value) { return static_cast<To>(value); });
          },
          [kind](const To& value) { return kind.print(static_cast<uint64_t>(value)); }};
}

// An empty value stands for `absent`, and is described as such.
template <typename V>
Kind<V> or_empty(Kind<V> kind, std::string meaning, V absent) {
  return {kind.accepts + ", or nothing: " + meaning,
          [kind, absent](std::string_view text) -> Value<V> {
            if (text.empty()) return absent;
            return kind.parse(text);
          },
          [kind, absent](const V& value) {
            return value == absent ? std::string() : kind.print(value);
          },
          meaning};
}

// The same for a member that is an optional.
template <typename V>
Kind<std::optional<V>> optional_of(Kind<V> kind, const std::string& meaning) {
  return {
      kind.accepts + ", or nothing: " + meaning,
      [kind](std::string_view text) -> Value<std::optional<V>> {
        if (text.empty()) return std::optional<V>();
        return kind.parse(text).map([](V value) { return std::optional<V>(std::move(value)); });
      },
      [kind](const std::optional<V>& value) { return value ? kind.print(*value) : std::string(); }};
}

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_VALUES_H_
