#include "daemon/cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "daemon/cli/command_table.h"
#include "daemon/cli/help.h"
#include "daemon/password/create.h"

namespace saslatch::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<Command>& table() {
  static const std::vector<Command> commands = command_table();
  return commands;
}

CommandLine parse(const std::vector<std::string>& words) {
  return parse_command_line(words, table());
}

TEST(Arguments, GlobalOptionsStandAnywhere) {
  const std::vector<std::vector<std::string>> lines = {
      {"--config", "/x", "--json", "user", "show", "alice"},
      {"user", "--config", "/x", "show", "--json", "alice"},
      {"user", "show", "alice", "--json", "--config=/x"},
      {"user", "show", "--config", "/x", "--json", "--", "alice"},
  };
  for (const auto& line : lines) {
    const auto parsed = parse(line);
    ASSERT_TRUE(std::holds_alternative<Parsed>(parsed)) << line[0];
    const Parsed& command = std::get<Parsed>(parsed);
    EXPECT_EQ(command.command->words, "user show");
    EXPECT_THAT(command.invocation.arguments, ElementsAre("alice"));
    EXPECT_EQ(command.invocation.config_path, "/x");
    EXPECT_TRUE(command.invocation.config_given);
    EXPECT_TRUE(command.style.json);
    EXPECT_FALSE(command.style.quiet);
  }
}

TEST(Arguments, WithoutConfigTheDefaultIsUsedAndNeedNotExist) {
  const auto parsed = parse({"status"});
  EXPECT_EQ(std::get<Parsed>(parsed).invocation.config_path, kDefaultConfigPath);
  EXPECT_FALSE(std::get<Parsed>(parsed).invocation.config_given);
}

TEST(Arguments, RepeatableOptionsKeepTheirOrder) {
  const auto parsed = parse({"test", "alice", "--mechanism", "LOGIN", "--mechanism", "PLAIN"});
  EXPECT_THAT(std::get<Parsed>(parsed).invocation.values("mechanism"),
              ElementsAre("LOGIN", "PLAIN"));
}

TEST(Arguments, AWordThatLooksLikeACommandIsAnArgumentBehindOne) {
  const auto parsed = parse({"user", "show", "status"});
  EXPECT_THAT(std::get<Parsed>(parsed).invocation.arguments, ElementsAre("status"));
  // The value of --config is no command word either.
  EXPECT_TRUE(std::holds_alternative<Parsed>(parse({"--config", "user", "status"})));
}

TEST(Arguments, NeverRepeatsWhatMayBeAPassword) {
  const std::string secret = "hunter2";
  const std::vector<std::vector<std::string>> lines = {
      {"user", "add", "alice", secret},
      {"user", "add", "alice", "--password=" + secret},
      {"user", "add", "alice", "--password", secret},
      {"user", "add", "alice", "--pass=" + secret},
      {"user", "add", "alice", "--password-stdin=" + secret},
      {"user", "add", "alice", "-p" + secret},
      {"test", "alice", secret},
      {"user", "passwd", "alice", secret},
  };
  for (const auto& line : lines) {
    const auto parsed = parse(line);
    ASSERT_TRUE(std::holds_alternative<UsageError>(parsed)) << line.back();
    EXPECT_THAT(std::get<UsageError>(parsed).message, Not(HasSubstr(secret)));
  }
}

TEST(Arguments, NoCommandTakesASecretAsArgument) {
  for (const Command& command : table()) {
    for (const Option& option : command.options) {
      if (option.name.find("password") == std::string_view::npos) continue;
      if (option.name.ends_with("-column")) continue;  // where passwords are, and none itself
      EXPECT_EQ(option.argument, "") << command.words;
    }
  }
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string_view> words = {"user", "lock", "status", "explain", "reload"};
  const struct {
    const char* typed;
    const char* meant;
  } cases[] = {{"usr", "user"},
               {"users", "user"},
               {"sttaus", "status"},
               {"loc", "lock"},
               {"expalin", "explain"},
               {"relod", "reload"},
               {"frobnicate", ""},
               {"", ""},
               {"xy", ""}};
  for (const auto& c : cases) EXPECT_EQ(nearest(c.typed, words), c.meant) << c.typed;
  EXPECT_EQ(nearest(std::string(100'000, 'u'), words), "");
}

TEST(CommandTable, HasWholeRows) {
  std::set<std::string_view> seen;
  for (const Command& command : table()) {
    SCOPED_TRACE(command.words);
    EXPECT_TRUE(seen.insert(command.words).second);
    EXPECT_NE(command.run, nullptr);
    EXPECT_LE(command.min_arguments, command.max_arguments);
    EXPECT_EQ(command.max_arguments == 0, command.arguments.empty());
    EXPECT_EQ(command.min_arguments == 0,
              command.arguments.empty() || command.arguments.front() == '[');
    EXPECT_NE(command.summary.back(), '.');
    EXPECT_THAT(std::string(command.help), HasSubstr("Examples:\n  "));
    EXPECT_THAT(std::string(command.help), HasSubstr(std::string(command.words)));
    EXPECT_EQ(command.help.back(), '\n');
  }
}

TEST(Help, FitsATerminalOf100Columns) {
  std::vector<std::string> topics = {"", "user", "lock", "policy"};
  for (const Command& command : table()) topics.emplace_back(command.words);
  for (const std::string& topic : topics) {
    std::istringstream lines(help_text(topic, table()));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100) << line;
  }
}

TEST(Help, NamesEverySchemeThatCanBeMade) {
  const std::string help = help_text("user add", table());
  for (const std::string_view scheme : password::creatable_schemes()) {
    EXPECT_THAT(help, HasSubstr(std::string(scheme)));
  }
}

}  // namespace
}  // namespace saslatch::cli
