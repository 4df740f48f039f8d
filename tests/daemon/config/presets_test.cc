#include "daemon/policy/presets.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "daemon/config/parse.h"

namespace saslatch::config {
namespace {

// The commented files tell administrators what is built in.
TEST(Presets, AreWhatTheirCommentedFilesSay) {
  const std::string folder = std::string(SASLATCH_TESTS_DIR) + "/../conf-examples/policy/";
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    const auto text = read_config_file(entry.path().string());
    ASSERT_TRUE(text) << text.error().message;
    const Parsed parsed = parse(*text);
    for (const Problem& problem : parsed.problems)
      ADD_FAILURE() << to_string(problem, entry.path().string());
    const auto rules = policy::preset_rules(name);
    ASSERT_TRUE(rules) << name << " is no preset";
    ASSERT_EQ(parsed.config.policy.rules.size(), rules->size()) << name;
    for (size_t i = 0; i < rules->size(); ++i)
      EXPECT_EQ(parsed.config.policy.rules[i], (*rules)[i]) << name << ": " << (*rules)[i].name;
    ++files;
  }
  EXPECT_EQ(files + 1, policy::presets().size()) << "each but `none` has its file";
}

}  // namespace
}  // namespace saslatch::config
