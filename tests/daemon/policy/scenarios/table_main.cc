// Each scenario against each preset, as the table of docs/POLICY.md; or the scenarios' logins, for
// playing them against another server.
#include <cstdio>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/daemon/policy/scenarios/scenarios.h"

namespace saslatch::policy {
namespace {

// Writes down what happens, and has nobody log in.
class Script final : public Site {
 public:
  void account(const std::string& user, const std::string& password) override {
    accounts_[user] = password;
  }
  void login(const Login& login) override { note(login, "alone"); }
  void rush(const std::vector<Login>& logins, Together how) override {
    static constexpr const char* kNames[] = {"parallel", "pipelined", "cancelled", "hung-up"};
    ++rushes_;
    for (const Login& login : logins) note(login, kNames[static_cast<int>(how)]);
  }
  void pass(Duration time) override { at_ += time; }
  std::vector<Fate> fates() override { return {}; }

  void print(const std::string& name, const std::vector<Who>& who) {
    static constexpr const char* kNames[] = {"attacker", "owner", "other"};
    for (size_t i = 0; i < who.size(); ++i) logins_[i]["who"] = kNames[static_cast<int>(who[i])];
    std::cout << nlohmann::json{{"scenario", name},
                                {"seconds", std::chrono::duration<double>(at_).count()},
                                {"accounts", accounts_},
                                {"logins", logins_}}
              << "\n";
  }

 private:
  void note(const Login& login, const char* how) {
    logins_.push_back({{"user", login.user},
                       {"password", login.password},
                       {"rip", login.rip},
                       {"how", how},
                       {"rush", rushes_},
                       {"at", std::chrono::duration<double>(at_).count()}});
  }

  std::map<std::string, std::string> accounts_;
  std::vector<nlohmann::json> logins_;
  Duration at_{0};
  int rushes_ = 0;
};

void print_logins() {
  for (const Scenario& scenario : scenarios()) {
    Script script;
    script.print(scenario.name, play(scenario, script));
  }
}

void print_table() {
  std::vector<std::string_view> names;
  for (const Preset& preset : presets())
    if (!preset_rules(preset.name)->empty()) names.push_back(preset.name);
  std::printf("| scenario | guesses |");
  for (const std::string_view name : names)
    std::printf(" %.*s |", static_cast<int>(name.size()), name.data());
  std::printf("\n| --- | --- |");
  for (size_t i = 0; i < names.size(); ++i) std::printf(" --- |");
  std::printf("\n");
  for (const Scenario& scenario : scenarios()) {
    const Result none = run(scenario, std::vector<Rule>{});
    std::printf("| %s | %zu |", scenario.name.c_str(), none.guesses);
    for (const std::string_view name : names) {
      const Result result = run(scenario, *preset_rules(name));
      if (none.guesses > 0) std::printf(" %zu through", result.let_through);
      if (none.guesses > 0 && none.owners > 0) std::printf(",");
      if (none.owners > 0)
        std::printf(" %zu of %zu owners refused", result.owners_refused, result.owners);
      std::printf(" |");
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace saslatch::policy

int main(int argc, char** argv) {
  if (argc == 1) {
    saslatch::policy::print_table();
  } else if (argc == 2 && std::strcmp(argv[1], "--logins") == 0) {
    saslatch::policy::print_logins();
  } else {
    std::fprintf(stderr, "usage: policy_scenarios_table [--logins]\n");
    return 64;
  }
}
