#include "daemon/config/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/config/keys.h"
#include "daemon/config/parse.h"

namespace saslatch::config {
namespace {

TEST(Manual, InTheTreeIsTheOneOfTheTable) {
  const auto page =
      read_config_file(std::string(SASLATCH_TESTS_DIR) + "/../docs/man/saslatch.conf.5");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(*page, saslatch_conf_manual())
      << "stale: build/dev/bin/saslatch-conf-manual > docs/man/saslatch.conf.5";
}

TEST(Manual, HasEveryKey) {
  for (const SectionInfo& section : key_table()) {
    for (const KeyInfo& key : section.keys) {
      EXPECT_THAT(saslatch_conf_manual(), testing::HasSubstr("\n.It Ic " + key.name + "\n"));
      EXPECT_FALSE(key.help.empty()) << key.name;
      EXPECT_TRUE(key.help.ends_with('.')) << key.name;
    }
  }
}

}  // namespace
}  // namespace saslatch::config
