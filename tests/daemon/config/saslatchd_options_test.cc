#include "daemon/config/saslatchd_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/daemon/config/stub_environment.h"

namespace saslatch::config {
namespace {

using Command = SaslatchdOptions::Command;
using testing::HasSubstr;

Result<SaslatchdOptions> options(std::vector<const char*> words) {
  return parse_saslatchd_options(words);
}

TEST(SaslatchdOptions, NameACommandAndAFile) {
  const struct {
    std::vector<const char*> words;
    Command command;
    const char* file;
  } kCases[] = {{{}, Command::kRun, "/etc/saslatch/saslatch.conf"},
                {{"--config", "/x"}, Command::kRun, "/x"},
                {{"--config=/x", "--check"}, Command::kCheck, "/x"},
                {{"--check"}, Command::kCheck, "/etc/saslatch/saslatch.conf"},
                {{"--dump-config", "--config", "/x"}, Command::kDumpConfig, "/x"},
                {{"--version"}, Command::kVersion, "/etc/saslatch/saslatch.conf"},
                {{"--help"}, Command::kHelp, "/etc/saslatch/saslatch.conf"}};
  for (const auto& c : kCases) {
    const auto parsed = options(c.words);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->command, c.command);
    EXPECT_EQ(parsed->config_file, c.file);
  }
}

TEST(SaslatchdOptions, RefuseWhatTheyDoNotKnowAndSayWhatTheyTake) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"--chekc"},
                                             {"--conf", "/x"},
                                             {"--config"},
                                             {"/etc/saslatch.conf"},
                                             {"--check", "--dump-config"},
                                             {"--check=yes"},
                                             {"--config", "/x", "--config", "/y"},
                                             {"-f"}}) {
    const auto parsed = options(words);
    ASSERT_FALSE(parsed) << words[0];
    EXPECT_THAT(parsed.error().message, HasSubstr("accepted: --config FILE"));
  }
}

TEST(SaslatchdHelp, TeachesEveryOption) {
  for (const char* word : {"--config", "--check", "--dump-config", "--version", "--help",
                           "postconf", "saslatch user add", "78"}) {
    EXPECT_THAT(saslatchd_help(), HasSubstr(word));
  }
  EXPECT_THAT(saslatchd_version(), testing::MatchesRegex("saslatchd [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

class SaslatchdCommands : public testing::Test {
 protected:
  SaslatchdCommands() {
    std::string pattern = testing::TempDir() + "options-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~SaslatchdCommands() override { std::filesystem::remove_all(folder_); }
  std::string file(std::string_view text) {
    std::ofstream(folder_ + "/saslatch.conf") << text;
    return folder_ + "/saslatch.conf";
  }

  std::string folder_;
  StubEnvironment environment_;
  std::ostringstream out_, err_;
};

TEST_F(SaslatchdCommands, CheckSaysThatAFileCanBeUsed) {
  const std::string path = file("");
  EXPECT_EQ(run_check(path, environment_, out_, err_), 0);
  EXPECT_EQ(out_.str(), path + ": can be used\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(SaslatchdCommands, CheckFindsWhatTheTextAndWhatTheMachineLacksInOneGo) {
  const std::string path = file("[daemon]\nthreads = x\nstate-dir = /missing\n");
  EXPECT_EQ(run_check(path, environment_, out_, err_), 78);
  EXPECT_THAT(err_.str(), HasSubstr(path + ":2: error: [daemon] threads = x is wrong; accepted: "));
  EXPECT_THAT(err_.str(), HasSubstr(path + ":3: error: [daemon] state-dir = /missing: No such"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(SaslatchdCommands, CheckNamesAFileThatIsNotThere) {
  EXPECT_EQ(run_check(folder_ + "/none", environment_, out_, err_), 78);
  EXPECT_THAT(err_.str(), HasSubstr(folder_ + "/none"));
  EXPECT_THAT(err_.str(), HasSubstr("No such file or directory"));
}

TEST_F(SaslatchdCommands, CheckFailsForAPassdbThatCannotBeOpenedButTheDaemonStarts) {
  const std::string path = file("[passdb.x]\ndriver = passwd-file\npath = /missing/users\n");
  EXPECT_EQ(run_check(path, environment_, out_, err_), 78);
  EXPECT_THAT(err_.str(),
              HasSubstr(":3: error: [passdb.x] path = /missing/users: cannot be opened"));
  EXPECT_TRUE(load_config(path, nullptr).usable);
}

TEST_F(SaslatchdCommands, DumpPrintsAFileThatCanBeUsed) {
  EXPECT_EQ(run_dump_config(file("[daemon]\nthreads = 3\n"), out_, err_), 0);
  const std::string dumped = out_.str();
  EXPECT_THAT(dumped, HasSubstr("threads       = 3"));
  EXPECT_TRUE(load_config(file(dumped), nullptr).usable);
  EXPECT_EQ(run_dump_config(file("[daemon]\nthreads = x\n"), out_, err_), 78);
  EXPECT_THAT(err_.str(), HasSubstr(":2: error: "));
}

}  // namespace
}  // namespace saslatch::config
