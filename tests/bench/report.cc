#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/bench/load.h"

namespace saslatch::bench {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
double milliseconds(Duration duration) { return seconds(duration) * 1000; }

double per_second(const Report& report) {
  return static_cast<double>(report.answered()) / seconds(report.wall);
}

double per_cpu_second(const Report& report) {
  return report.server_cpu_seconds > 0
             ? static_cast<double>(report.answered()) / report.server_cpu_seconds
             : 0;
}

}  // namespace

std::string as_text(const Options& options, const Report& report) {
  std::string text =
      fmt::format("{} over {}, {} connections{}, {:.1f} s\n", name_of(options.mechanism),
                  name_of(options.protocol), options.connections,
                  options.reconnect ? ", one for each login"
                                    : fmt::format(" with {} in flight each", options.outstanding),
                  seconds(report.wall));
  text += fmt::format("logins      {}, {:.0f} a second: {} ok, {} failed, {} unexpected, {} lost\n",
                      report.answered(), per_second(report), report.ok, report.fail,
                      report.unexpected, report.lost);
  if (!report.first_loss.empty()) text += fmt::format("first loss  {}\n", report.first_loss);
  text += fmt::format(
      "latency     p50 {:.3f} ms, p90 {:.3f} ms, p99 {:.3f} ms, max {:.3f} ms\n",
      milliseconds(report.latencies.percentile(50)), milliseconds(report.latencies.percentile(90)),
      milliseconds(report.latencies.percentile(99)), milliseconds(report.latencies.max()));
  if (!options.server_pids.empty()) {
    text += fmt::format("server CPU  {:.2f} s, {:.0f} logins a CPU second\n",
                        report.server_cpu_seconds, per_cpu_second(report));
  }
  text += fmt::format("own CPU     {:.2f} s\n", report.own_cpu_seconds);
  return text;
}

std::string as_json(const Options& options, const Report& report) {
  nlohmann::ordered_json json = {
      {"protocol", name_of(options.protocol)},
      {"mechanism", name_of(options.mechanism)},
      {"connections", options.connections},
      {"outstanding", options.outstanding},
      {"reconnect", options.reconnect},
      {"wall_seconds", seconds(report.wall)},
      {"ok", report.ok},
      {"fail", report.fail},
      {"unexpected", report.unexpected},
      {"lost", report.lost},
      {"first_loss", report.first_loss},
      {"logins_per_second", per_second(report)},
      {"latency_ms",
       {{"p50", milliseconds(report.latencies.percentile(50))},
        {"p90", milliseconds(report.latencies.percentile(90))},
        {"p99", milliseconds(report.latencies.percentile(99))},
        {"max", milliseconds(report.latencies.max())}}},
      {"own_cpu_seconds", report.own_cpu_seconds},
  };
  if (!options.server_pids.empty()) {
    json["server_cpu_seconds"] = report.server_cpu_seconds;
    json["logins_per_cpu_second"] = per_cpu_second(report);
  }
  return json.dump(2) + "\n";
}

}  // namespace saslatch::bench
