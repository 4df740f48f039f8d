#include "tests/dialogs/dialog.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace saslatch::dialog {
namespace {

// Answers each line with itself, closes on "quit", notes what follows a '!'.
class Echo : public Peer {
 public:
  void receive(std::string_view bytes) override {
    ++receives;
    for (const char byte : bytes) {
      line_ += byte;
      if (byte == '\n') take_line();
    }
  }
  std::string take_output() override { return std::exchange(output_, {}); }
  std::string closed() override { return closed_; }
  std::string act(char letter, std::string_view text) override {
    if (letter != 'N') return "no such letter";
    return std::exchange(noted_, {}) == text ? "" : "not noted";
  }
  std::string unexpected() override { return noted_; }

  int receives = 0;

 private:
  void take_line() {
    const std::string line = std::exchange(line_, {});
    if (line == "quit\n") {
      closed_ = "told to";
    } else if (line[0] == '!') {
      noted_ = line.substr(1, line.size() - 2);
    } else {
      output_ += line;
    }
  }

  std::string line_, output_, noted_, closed_;
};

class DialogFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "dialogXXXXXX";
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<std::vector<Dialog>> read_text(std::string_view text) {
    std::ofstream(folder_ / "a.dialog") << text;
    return read(folder_ / "a.dialog");
  }

  std::string played(std::string_view text, Arrival arrival = Arrival::kLines) {
    const auto dialogs = read_text(text);
    if (!dialogs) return dialogs.error().message;
    Echo echo;
    return play(dialogs->front(), echo, arrival);
  }

  std::filesystem::path folder_;
};

TEST_F(DialogFile, PassesWhatHappensAsWritten) {
  for (const auto arrival : {Arrival::kLines, Arrival::kBytes, Arrival::kTogether}) {
    EXPECT_EQ(played("# comment\n\n== a\n"
                     "C: one<T>two\nS: one<T>two\n"
                     "C: one\nC: two\nS: one\nS: two\n"
                     "c: ha\nC: lf\nS: half\n"
                     "C: id 17 end\nS: id <*> end\n"
                     "C: !noted\nN: noted\n"
                     "C: quit\nX: told to\n",
                     arrival),
              "");
  }
}

TEST_F(DialogFile, FailsWhatDoesNot) {
  const struct {
    const char* text;
    const char* trouble;
  } kCases[] = {
      {"== a\nC: one\nS: two\n", "a.dialog:3 (a): the server wrote: one"},
      {"== a\nS: one\n", "a.dialog:2 (a): the server wrote nothing"},
      {"== a\nC: one\n", "a.dialog:2 (a): after this line: the server also wrote: one<LF>"},
      {"== a\nC: one\nN:\nC: two\n",
       "a.dialog:4 (a): before this line: the server also wrote: one<LF>"},
      {"== a\nC: !x\n", "a.dialog:2 (a): after this line: unexpected: x"},
      {"== a\nC: !x\nN: y\n", "a.dialog:3 (a): not noted"},
      {"== a\nC: quit\n", "a.dialog:2 (a): after this line: the server closed: told to"},
      {"== a\nC: quit\nS: x\n", "a.dialog:3 (a): the server wrote nothing; it closed: told to"},
      {"== a\nC: quit\nX: other\n", "a.dialog:3 (a): closed for another reason: told to"},
      {"== a\nX: told to\n", "a.dialog:2 (a): the server has not closed"},
      {"== a\nC: id 1<T>2 end\nS: id <*> end\n", "a.dialog:3 (a): the server wrote: id 1<T>2 end"},
      {"== a\nZ: x\n", "a.dialog:2 (a): no such letter"},
  };
  for (const auto& c : kCases) EXPECT_EQ(played(c.text), c.trouble) << c.text;
}

TEST_F(DialogFile, ArrivesInThePiecesAskedFor) {
  const auto dialogs = read_text("== a\nC: ab\nC: cd\nS: ab\nS: cd\n");
  ASSERT_TRUE(dialogs);
  const std::pair<Arrival, int> kReceives[] = {
      {Arrival::kLines, 2}, {Arrival::kBytes, 6}, {Arrival::kTogether, 1}};
  for (const auto& [arrival, receives] : kReceives) {
    Echo echo;
    EXPECT_EQ(play(dialogs->front(), echo, arrival), "");
    EXPECT_EQ(echo.receives, receives);
  }
}

TEST_F(DialogFile, NamesTheLineItCannotRead) {
  for (const char* text :
       {"C: before a name\n", "== a\nhello\n", "== a\nC:no space\n", "", "# x\n"}) {
    EXPECT_FALSE(read_text(text)) << text;
  }
  EXPECT_FALSE(read(folder_ / "none.dialog"));
}

TEST(Notation, StandsForBytes) {
  EXPECT_EQ(resolve("a<T>b<LF><CR><00><ff>"), std::string("a\tb\n\r\0\xff", 7));
  EXPECT_EQ(resolve("<A*5>"), "AAAAA");
  EXPECT_EQ(resolve("<b64:<00>alice<00>secret>"), "AGFsaWNlAHNlY3JldA==");
  EXPECT_EQ(resolve("<1896@host> < <T"), "<1896@host> < <T");
  EXPECT_EQ(shown(std::string("a\tb\n\0", 5)), "a<T>b<LF><00>");
}

}  // namespace
}  // namespace saslatch::dialog
