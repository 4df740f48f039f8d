// Logs in by PLAIN through libsasl2, as a server does that has just read `AUTH PLAIN ...`, and
// prints what a login takes: one JSON object. tests/bench/plugin_compare.py runs it.

#include <sasl/sasl.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

double cpu_microseconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

// A whole session; false if the login failed.
bool log_in(const std::string& message) {
  sasl_conn_t* connection = nullptr;
  if (sasl_server_new("smtp", "mail.example.org", nullptr, "192.0.2.1;587", "192.0.2.2;40000",
                      nullptr, 0, &connection) != SASL_OK) {
    return false;
  }
  const char* output = nullptr;
  unsigned length = 0;
  const int code = sasl_server_start(connection, "PLAIN", message.data(),
                                     static_cast<unsigned>(message.size()), &output, &length);
  if (code != SASL_OK) std::fprintf(stderr, "%s\n", sasl_errdetail(connection));
  sasl_dispose(&connection);
  return code == SASL_OK;
}

}  // namespace

// The paths of configuration and plugins come from SASL_CONF_PATH and SASL_PATH.
int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: sasl_login_bench USER PASSWORD COUNT\n");
    return 64;
  }
  const std::string message = std::string(1, '\0') + argv[1] + '\0' + argv[2];
  const auto count = static_cast<size_t>(std::atol(argv[3]));
  if (sasl_server_init(nullptr, "bench") != SASL_OK) return 69;
  if (count == 0 || !log_in(message)) return 1;  // the first one opens files and connections

  std::vector<double> times;
  times.reserve(count);
  const double cpu = cpu_microseconds();
  for (size_t i = 0; i < count; ++i) {
    const auto began = Clock::now();
    if (!log_in(message)) return 1;
    times.push_back(microseconds(Clock::now() - began));
  }
  const double cpu_each = (cpu_microseconds() - cpu) / static_cast<double>(count);
  sasl_done();
  std::sort(times.begin(), times.end());
  const nlohmann::json result = {{"p50_us", times[count / 2]},
                                 {"p99_us", times[std::min(count - 1, count * 99 / 100)]},
                                 {"cpu_us", cpu_each}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}
