#include "daemon/passdb/drivers/module_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/passdb/drivers/make_passdb.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::passdb {
namespace {

using ::testing::HasSubstr;

const std::string kModules = SASLATCH_TEST_MODULES;

class CountingLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view,
             std::initializer_list<LogField>) override {
    ++lines;
  }
  int lines = 0;
};

class ModuleLoader : public ::testing::Test {
 protected:
  Result<std::shared_ptr<Passdb>> make(const std::string& module, const std::string& section) {
    const auto loaded = load_passdb_module(kModules, module);
    if (!loaded) return tl::unexpected(loaded.error());
    PassdbSettings settings;
    settings.name = section;
    return (*loaded)->make(settings, {log_, random_, std::chrono::steady_clock::now,
                                      std::chrono::milliseconds(4500), true, {}});
  }
  std::string trouble_of(const std::string& module) {
    const auto loaded = load_passdb_module(kModules, module);
    return loaded ? "none" : loaded.error().message;
  }

  CountingLog log_;
  SystemRandom random_;
};

TEST_F(ModuleLoader, MakesAPassdbThatIsLikeAnyOther) {
  const auto made = make("obliging", "alice");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(log_.lines, 1);
  Passdb& passdb = **made;
  EXPECT_EQ(passdb.name(), "alice");
  EXPECT_TRUE(passdb.check_usable());
  Lookup found;
  passdb.find("alice", [&found](Lookup answer) { found = std::move(answer); });
  ASSERT_TRUE(std::holds_alternative<Account>(found));
  EXPECT_EQ(std::get<Account>(found).credentials.at(0).reveal(), "{PLAIN}wonderland");
  passdb.find("bob", [&found](Lookup answer) { found = std::move(answer); });
  EXPECT_TRUE(std::holds_alternative<UnknownUser>(found));
  EXPECT_NE(std::dynamic_pointer_cast<Passdb>(*made), nullptr);
}

TEST_F(ModuleLoader, HandsOnWhyADriverRefusesItsSettings) {
  const auto made = make("obliging", "");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "it has no name");
}

TEST_F(ModuleLoader, NamesThePackageOfAModuleThatIsNotThere) {
  EXPECT_THAT(trouble_of("pgsql"), HasSubstr("/pgsql.so is not there; install the package "
                                             "saslatch-pgsql"));
}

TEST_F(ModuleLoader, CallsNothingOfAnotherVersion) {
  EXPECT_THAT(trouble_of("foreign"), HasSubstr("is of another version of saslatch (0.0.1/other, "));
}

TEST_F(ModuleLoader, RefusesALibraryThatIsNoModule) {
  EXPECT_THAT(trouble_of("stranger"), HasSubstr("is no passdb module of saslatch"));
}

TEST(MissingPassdb, IsDownAndSaysWhy) {
  PassdbSettings settings;
  settings.name = "people";
  const auto passdb = make_missing_passdb(settings, "its module is not there");
  EXPECT_EQ(passdb->name(), "people");
  EXPECT_FALSE(passdb->status().available);
  EXPECT_EQ(passdb->check_usable().error().message, "its module is not there");
  Lookup found;
  passdb->find("alice", [&found](Lookup answer) { found = std::move(answer); });
  ASSERT_TRUE(std::holds_alternative<Unavailable>(found));
  EXPECT_EQ(std::get<Unavailable>(found).reason, "its module is not there");
}

}  // namespace
}  // namespace saslatch::passdb
