#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "tests/bench/load.h"

int main(int argc, char** argv) {
  using namespace saslatch::bench;
  constexpr int kUsageError = 64;
  constexpr int kBadAnswers = 65;
  constexpr int kNoServer = 69;
  const auto options = parse_options(std::vector<std::string>(argv + 1, argv + argc), std::cin);
  if (!options) {
    std::fprintf(stderr, "saslatch-bench: %s\n", options.error().message.c_str());
    return kUsageError;
  }
  if (options->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const auto report = run_load(*options);
  if (!report) {
    std::fprintf(stderr, "saslatch-bench: %s\n", report.error().message.c_str());
    return kNoServer;
  }
  std::fputs((options->json ? as_json : as_text)(*options, *report).c_str(), stdout);
  return report->unexpected == 0 && report->lost == 0 ? 0 : kBadAnswers;
}
