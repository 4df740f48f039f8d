#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/config/saslatchd_options.h"
#include "tests/daemon/config/stub_environment.h"

namespace saslatch::config {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(SASLATCH_TESTS_DIR) / "bad-configs";

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".conf") all.push_back(entry.path().stem().string());
  }
  std::sort(all.begin(), all.end());
  return all;
}

class BadConfig : public testing::TestWithParam<std::string> {};

// NAME.expected holds what `saslatchd --check` says of NAME.conf on the stub's machine.
TEST_P(BadConfig, HasTheExpectedMessages) {
  const std::string file = (kFolder / (GetParam() + ".conf")).string();
  StubEnvironment environment;
  std::string said;
  for (const Problem& problem : load_config(file, &environment).problems) {
    said += to_string(problem, GetParam() + ".conf") + "\n";
  }
  const auto expected = read_config_file((kFolder / (GetParam() + ".expected")).string());
  ASSERT_TRUE(expected) << expected.error().message << "\nsaid:\n" << said;
  EXPECT_EQ(said, *expected);
  std::ostringstream out, err;
  EXPECT_EQ(run_check(file, environment, out, err), 78);
  EXPECT_EQ(out.str(), "");
}

std::string test_name(const testing::TestParamInfo<std::string>& file) {
  std::string name = file.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, BadConfig, testing::ValuesIn(names()), test_name);

TEST(BadConfigs, EachTellOfTenMistakesInTenMessages) {
  const auto loaded = load_config((kFolder / "ten-mistakes.conf").string(), nullptr);
  EXPECT_EQ(loaded.problems.size(), 10u);
}

}  // namespace
}  // namespace saslatch::config
