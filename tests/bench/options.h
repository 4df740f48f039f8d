#ifndef SASLATCH_TESTS_BENCH_OPTIONS_H_
#define SASLATCH_TESTS_BENCH_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace saslatch::bench {

enum class Protocol { kDovecot, kSaslauthd };
enum class Mechanism { kPlain, kLogin, kCramMd5 };

// An account the load logs in to. Test accounts only: their passwords are not treated as secrets.
struct User {
  std::string name;
  std::string password;
};

struct Options {
  std::string socket;  // a path, or empty for host and port
  std::string host;
  std::string port;
  Protocol protocol = Protocol::kDovecot;
  Mechanism mechanism = Mechanism::kPlain;
  unsigned connections = 50;
  unsigned outstanding = 1;  // requests in flight on each connection
  std::chrono::nanoseconds duration{0};
  uint64_t count = 0;  // logins in all; 0: until `duration` is over
  std::chrono::nanoseconds timeout{std::chrono::seconds(30)};
  std::vector<User> users;
  unsigned wrong_percent = 0;
  std::string rip;  // sent with every request; empty: none is sent
  bool reconnect = false;
  std::vector<int> server_pids;
  bool json = false;
  bool help = false;
};

extern const char kUsage[];

// The error names the option, what is wrong with it and what is accepted. Passwords come from `in`
// (--password-stdin) or a file, never from the arguments, which every user of the machine can read.
Result<Options> parse_options(const std::vector<std::string>& arguments, std::istream& in);

std::string_view name_of(Protocol protocol);
std::string_view name_of(Mechanism mechanism);

}  // namespace saslatch::bench

#endif  // SASLATCH_TESTS_BENCH_OPTIONS_H_
