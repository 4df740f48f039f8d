#include "daemon/config/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/policy/presets.h"
#include "tests/daemon/config/stub_environment.h"

namespace saslatch::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Check, FindsNothingWrongWithTheExamplesOfThisTree) {
  namespace fs = std::filesystem;
  int files = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(SASLATCH_TESTS_DIR) / ".." / "conf-examples")) {
    if (entry.path().filename() != "saslatch.conf") continue;
    ++files;
    const auto text = read_config_file(entry.path().string());
    ASSERT_TRUE(text);
    const Parsed parsed = parse(*text);
    EXPECT_THAT(parsed.problems, IsEmpty()) << entry.path();
    StubEnvironment environment;
    for (const Problem& problem : check(parsed, environment)) {
      ADD_FAILURE() << to_string(problem, entry.path().string());
    }
  }
  EXPECT_GT(files, 2);
}

TEST(Check, TakesAMissingAuditDirectoryForAWarningAsTheDaemonGoesOn) {
  const Parsed parsed = parse("[daemon]\naudit-log = /missing/audit.jsonl\n");
  StubEnvironment environment;
  const auto problems = check(parsed, environment);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].kind, Problem::Kind::kWarning);
  EXPECT_EQ(problems[0].line, 2);
}

TEST(Check, DoesNotMindThatTheDefaultUserIsMissing) {
  const Parsed parsed = parse("");
  StubEnvironment environment;
  environment.users.clear();
  EXPECT_THAT(check(parsed, environment), IsEmpty());
}

TEST(Check, WarnsOfRulesThatAreHardlyMeantInTheLineThatSaysThem) {
  const Parsed parsed = parse(R"([policy]
preset = small-site
failure-delay = 5s
trusted = 0.0.0.0/0
[rule.everyone]
count = failures
by = everyone
limit = 100/10m
then = refuse
[rule.delay]
count = failures
by = user
limit = 3/1h
then = delay
for = 10s
)");
  EXPECT_FALSE(parsed.has_errors());
  StubEnvironment environment;
  std::string said;
  for (const Problem& problem : check(parsed, environment)) said += to_string(problem, "f") + "\n";
  EXPECT_THAT(said, HasSubstr("f:3: warning: [policy] failure-delay = 5s is cut to max-hold"));
  EXPECT_THAT(said, HasSubstr("f:4: warning: [policy] trusted holds every address"));
  EXPECT_THAT(said, HasSubstr("f:5: warning: [rule.everyone] would lock everybody"));
  EXPECT_THAT(said, HasSubstr("f:15: warning: [rule.delay] for = 10s is cut to max-hold"));
  EXPECT_THAT(said, Not(HasSubstr("error")));
}

TEST(Check, HasNothingToSayOfTheShippedPresets) {
  for (const auto& preset : policy::presets()) {
    const Parsed parsed = parse("[policy]\npreset = " + std::string(preset.name));
    EXPECT_THAT(parsed.problems, IsEmpty()) << preset.name;
    StubEnvironment environment;
    for (const Problem& problem : check(parsed, environment)) {
      ADD_FAILURE() << preset.name << to_string(problem, "");
    }
  }
}

TEST(SystemEnvironment, AsksTheRealMachine) {
  class Machine final : public SystemEnvironment {
   public:
    Trouble scheme(const std::string&) override { return {}; }
    Trouble passdb(const PassdbConfig&, const Config&) override { return {}; }
  } machine;
  std::string pattern = testing::TempDir() + "check-XXXXXX";
  const std::string folder = mkdtemp(pattern.data());
  const std::string file = folder + "/file";
  std::ofstream(file) << "x";
  EXPECT_EQ(machine.existing_directory(folder), std::nullopt);
  EXPECT_THAT(machine.existing_directory(folder + "/none").value_or(""), HasSubstr("No such file"));
  EXPECT_THAT(machine.existing_directory(file).value_or(""), HasSubstr("is no directory"));
  EXPECT_EQ(machine.directory(folder + "/none/below"), std::nullopt);
  EXPECT_NE(machine.directory(file + "/below"), std::nullopt);
  EXPECT_EQ(machine.user("root"), std::nullopt);
  EXPECT_EQ(machine.user("0"), std::nullopt);
  EXPECT_EQ(machine.group("root"), std::nullopt);
  EXPECT_EQ(machine.user("no-such-user-here"), "there is no such user");
  EXPECT_EQ(machine.group("no-such-group-here"), "there is no such group");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace saslatch::config
