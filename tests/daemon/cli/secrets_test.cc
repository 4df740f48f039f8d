#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/cli/secret_input.h"
#include "tests/daemon/cli/box.h"

namespace saslatch::cli {
namespace {

// The reading end of a pipe that holds `bytes` and ends.
class Source {
 public:
  explicit Source(const std::string& bytes) {
    if (::pipe2(ends_, O_CLOEXEC) != 0) std::abort();
    if (::write(ends_[1], bytes.data(), bytes.size()) < 0) std::abort();
    ::close(ends_[1]);
  }
  ~Source() { ::close(ends_[0]); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] int descriptor() const { return ends_[0]; }
  std::string rest() const {
    std::string rest(100, '\0');
    const ssize_t got = ::read(ends_[0], rest.data(), rest.size());
    rest.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return rest;
  }

 private:
  int ends_[2];
};

TEST(PasswordLine, IsTheFirstLineWithoutItsEnd) {
  const struct {
    std::string input;
    std::string password;
    std::string rest;
  } cases[] = {
      {"secret\n", "secret", ""},
      {"secret", "secret", ""},
      {"secret\r\n", "secret", ""},
      {" two words \nnext", " two words ", "next"},
      {"pässwörd\n\n", "pässwörd", "\n"},
      {std::string(kMaxPassword, 'x') + "\n", std::string(kMaxPassword, 'x'), ""},
  };
  for (const auto& c : cases) {
    const Source source(c.input);
    const auto password = read_password_line(source.descriptor());
    ASSERT_TRUE(password) << password.error().message;
    EXPECT_EQ(password->reveal(), c.password);
    EXPECT_EQ(source.rest(), c.rest) << "what follows is not ours";
  }
}

TEST(PasswordLine, IsRefusedWithoutBeingRepeated) {
  const std::string cases[] = {"", "\n", "\r\n", std::string("a\0b\n", 4),
                               std::string(kMaxPassword + 1, 'x') + "\n"};
  for (const std::string& input : cases) {
    const Source source(input);
    const auto password = read_password_line(source.descriptor());
    ASSERT_FALSE(password);
    EXPECT_EQ(password.error().message.find("xx"), std::string::npos);
  }
}

TEST(PasswordPrompt, AsksTwiceAndShowsNothing) {
  const Box box;
  const Finished finished =
      box.saslatch_on_terminal({"user", "add", "alice"},
                               {{"New password for alice: ", "secret\n"}, {"Again: ", "secret\n"}});
  EXPECT_EQ(finished.exit, 0) << finished.out;
  EXPECT_EQ(finished.out.find("secret"), std::string::npos) << finished.out;
  EXPECT_NE(finished.out.find("added alice"), std::string::npos) << finished.out;
}

TEST(PasswordPrompt, ChangesNothingWhenTheTwoDifferOrItIsInterrupted) {
  const Box box;
  const std::vector<Answer> cases[] = {
      {{"New password for alice: ", "secret\n"}, {"Again: ", "sacret\n"}},
      {{"New password for alice: ", "sec\003"}},
      {{"New password for alice: ", "\n"}},
  };
  for (const auto& answers : cases) {
    EXPECT_NE(box.saslatch_on_terminal({"user", "add", "alice"}, answers).exit, 0);
  }
  EXPECT_EQ(box.saslatch({"user", "list", "--json"}, "").out, "[]\n");
}

TEST(Watch, RedrawsUntilQAndGivesTheScreenBack) {
  Box box;
  box.start_daemon();
  for (const char* key : {"q", "\003"}) {
    const Finished finished = box.saslatch_on_terminal({"watch"}, {{"q ends", key}});
    EXPECT_EQ(finished.exit, 0);
    EXPECT_EQ(finished.out.rfind("\033[?1049h", 0), 0u);
    EXPECT_EQ(finished.out.substr(finished.out.size() - 8), "\033[?1049l");
  }
}

// Whatever is done with it, a password is in no output and in no file that is made.
TEST(Passwords, AreNowhereToBeSeen) {
  const std::string secret = "Xk7-never-seen-anywhere";
  Box box;
  box.start_auth_server();
  const std::vector<std::vector<std::string>> commands = {
      {"user", "add", "alice", "--password-stdin"},
      {"user", "add", "alice", "--password-stdin", "--json"},
      {"user", "passwd", "alice", "--password-stdin", "--scheme", "ROT13"},
      {"user", "passwd", "alice", "--password-stdin", "--scheme", "SCRAM-SHA-256"},
      {"test", "alice", "--password-stdin"},
      {"test", "alice", "--password-stdin", "--json"},
      {"test", "alice", "--password-stdin", "--clear"},
      {"user", "show", "alice"},
      {"user", "list", "--json"},
  };
  for (const auto& command : commands) {
    const Finished finished = box.saslatch(command, secret + "\n");
    EXPECT_GE(finished.exit, 0);
    EXPECT_EQ((finished.out + finished.err).find(secret), std::string::npos) << command[1];
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(box.path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(content.find(secret), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace saslatch::cli
