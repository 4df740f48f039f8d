#include "daemon/passdb/passwd_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include "tests/daemon/audit/recording_log.h"
#include "tests/daemon/passdb/lookups.h"
#include "tests/daemon/passdb/scratch_dir.h"
#include "tests/daemon/password/seeded_random.h"

namespace saslatch::passdb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A file that is written with its writer still there, as a slow script does it.
class Writer {
 public:
  explicit Writer(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {}
  ~Writer() { finish(); }
  void write(std::string_view bytes) const {
    ASSERT_EQ(::write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void finish() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

class PasswdFile : public ::testing::Test {
 protected:
  // Time goes on, and the timer looks at the file as the daemon's does.
  void pass(milliseconds time) {
    for (const auto end = now_ + time; now_ < end;) {
      now_ += kPasswdFilePoll;
      passdb().refresh(now_);
    }
  }
  void look() { passdb().refresh(now_); }
  PasswdFilePassdb& passdb() {
    if (!passdb_) {
      passdb_.emplace(PasswdFileOptions{"legacy", dir_.file("users"), "PLAIN", true}, log_,
                      random_);
    }
    return *passdb_;
  }
  std::string told(std::string_view name) { return passdb::told(passdb(), name); }

  ScratchDir dir_;
  RecordingLog log_;
  password::SeededRandom random_;
  PasswdFilePassdb::Time now_{seconds(1000)};
  std::optional<PasswdFilePassdb> passdb_;
};

TEST_F(PasswdFile, IsDownUntilTheFileComesAndThenAnswers) {
  EXPECT_THAT(told("alice"), StartsWith("down:"));
  look();
  EXPECT_THAT(told("alice"), HasSubstr("No such file"));
  EXPECT_FALSE(passdb().status().available);
  EXPECT_FALSE(passdb().list("*", [](std::string_view) { return true; }));
  EXPECT_FALSE(passdb().check_usable());

  dir_.write("users", "alice:a\n");
  pass(milliseconds(200));
  EXPECT_EQ(told("alice"), "{PLAIN}a");
  EXPECT_EQ(told("bob"), "unknown");
  EXPECT_THAT(listed(passdb(), "*"), ElementsAre("alice"));
  EXPECT_EQ(passdb().status().accounts, 1u);
  EXPECT_TRUE(passdb().check_usable());
}

TEST_F(PasswdFile, TakesAChangeWithinASecondHoweverItIsMade) {
  dir_.write("users", "alice:1\n");
  look();
  ASSERT_EQ(told("alice"), "{PLAIN}1");

  dir_.write("users", "alice:2\n");  // same size
  pass(milliseconds(1000));
  EXPECT_EQ(told("alice"), "{PLAIN}2");

  dir_.replace("users", "alice:3\nbob:3\n");
  pass(milliseconds(1000));
  EXPECT_EQ(told("alice"), "{PLAIN}3");
  EXPECT_EQ(told("bob"), "{PLAIN}3");

  dir_.replace("users", "bob:4\n");
  const auto time = std::filesystem::last_write_time(dir_.file("users"));
  std::filesystem::last_write_time(dir_.file("users"), time - std::chrono::hours(24));
  pass(milliseconds(1000));
  EXPECT_EQ(told("bob"), "{PLAIN}4");
  EXPECT_EQ(told("alice"), "unknown");
  EXPECT_EQ(log_.count("passwd-file-loaded"), 4u);
}

TEST_F(PasswdFile, LoadsAnUnchangedFileOnce) {
  dir_.write("users", "alice:1\n");
  look();
  pass(seconds(60));
  EXPECT_EQ(log_.count("passwd-file-loaded"), 1u);
  EXPECT_EQ(log_.lines().size(), 1u);
}

TEST_F(PasswdFile, WaitsWhileTheFileGrows) {
  dir_.write("users", "alice:1\nbob:1\n");
  look();
  Writer writer(dir_.file("users"));
  for (int i = 0; i < 20; ++i) {
    writer.write("user" + std::to_string(i) + ":2\n");
    pass(milliseconds(200));
    ASSERT_EQ(told("alice"), "{PLAIN}1");
  }
  writer.finish();
  pass(milliseconds(1000));
  EXPECT_EQ(told("user19"), "{PLAIN}2");
  EXPECT_EQ(told("alice"), "unknown");
}

TEST_F(PasswdFile, WaitsWhileTheFileGrowsByManyShortWrites) {
  dir_.write("users", "alice:1\nbob:1\n");
  look();
  dir_.write("users", "alice:2\n");
  for (int i = 0; i < 20; ++i) {
    std::ofstream(dir_.file("users"), std::ios::app) << "user" << i << ":2\n";  // and closed
    pass(milliseconds(200));
    ASSERT_EQ(told("bob"), "{PLAIN}1");
  }
  std::ofstream(dir_.file("users"), std::ios::app) << "bob:2\n";
  pass(milliseconds(1000));
  EXPECT_EQ(told("bob"), "{PLAIN}2");
}

TEST_F(PasswdFile, WaitsForAWriterThatPausesBetweenLines) {
  dir_.write("users", "alice:1\nbob:1\n");
  look();
  Writer writer(dir_.file("users"));
  writer.write("alice:2\n");
  pass(seconds(5));
  EXPECT_EQ(told("bob"), "{PLAIN}1");
  writer.write("bob:2\n");
  pass(seconds(5));
  EXPECT_EQ(told("bob"), "{PLAIN}1");
  writer.finish();
  pass(milliseconds(200));
  EXPECT_EQ(told("bob"), "{PLAIN}2");
}

TEST_F(PasswdFile, StopsWaitingForAWriterThatNeverEnds) {
  dir_.write("users", "alice:1\n");
  look();
  const Writer writer(dir_.file("users"));
  writer.write("alice:2\n");
  pass(seconds(9));
  EXPECT_EQ(told("alice"), "{PLAIN}1");
  pass(seconds(2));
  EXPECT_EQ(told("alice"), "{PLAIN}2");
}

struct HalfWritten {
  const char* what;
  const char* bytes;
  const char* then;  // what bob is afterwards, when it stays so
};

class PasswdFileCut : public PasswdFile, public ::testing::WithParamInterface<HalfWritten> {};

TEST_P(PasswdFileCut, ReplacesNoGoodFileForTenSeconds) {
  dir_.write("users", "alice:1\nbob:1\n");
  look();
  for (const bool in_place : {true, false}) {
    in_place ? (void)dir_.write("users", GetParam().bytes)
             : dir_.replace("users", GetParam().bytes);
    pass(milliseconds(9800));
    ASSERT_EQ(told("bob"), "{PLAIN}1") << GetParam().what;
    dir_.write("users", "alice:1\nbob:1\n");
    pass(seconds(1));
  }
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("half-written")));

  dir_.write("users", GetParam().bytes);
  pass(milliseconds(10400));
  EXPECT_EQ(told("bob"), GetParam().then);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PasswdFileCut,
                         ::testing::Values(HalfWritten{"empty", "", "unknown"},
                                           HalfWritten{"cut", "alice:1\nbob:{PLA", "{PLAIN}{PLA"},
                                           HalfWritten{"no account", "# users\n\n", "unknown"}),
                         [](const auto& test) {
                           std::string name = test.param.what;
                           std::erase(name, ' ');
                           return name;
                         });

TEST_F(PasswdFile, TakesNoHalfWrittenFileAtTheStartEither) {
  dir_.write("users", "");
  look();
  EXPECT_THAT(told("alice"), HasSubstr("it is empty"));
  pass(seconds(9));
  EXPECT_THAT(told("alice"), StartsWith("down:"));
  dir_.write("users", "alice:1");
  pass(seconds(9));
  EXPECT_THAT(told("alice"), HasSubstr("no newline"));
  pass(seconds(2));
  EXPECT_EQ(told("alice"), "{PLAIN}1");
}

TEST_F(PasswdFile, KeepsItsLastGoodContentsAndSaysSoOnceAMinute) {
  dir_.write("users", "alice:1\n");
  look();
  std::filesystem::remove(dir_.file("users"));
  pass(seconds(59));
  EXPECT_EQ(told("alice"), "{PLAIN}1");
  EXPECT_TRUE(passdb().status().available);
  EXPECT_THAT(passdb().status().reason, HasSubstr("No such file"));
  EXPECT_EQ(log_.count("passwd-file-unreadable"), 1u);
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("last good contents")));
  pass(seconds(60));
  EXPECT_EQ(log_.count("passwd-file-unreadable"), 2u);

  dir_.write("users", "alice:2\n");
  pass(seconds(1));
  EXPECT_EQ(told("alice"), "{PLAIN}2");
  EXPECT_EQ(passdb().status().reason, "");
}

TEST_F(PasswdFile, RefusesWhatIsNoRegularFile) {
  std::filesystem::create_directory(dir_.file("users"));
  look();
  EXPECT_THAT(told("alice"), HasSubstr("no regular file"));
  EXPECT_FALSE(passdb().check_usable());

  std::filesystem::remove(dir_.file("users"));
  ASSERT_EQ(mkfifo(dir_.file("users").c_str(), 0600), 0);
  look();
  EXPECT_THAT(told("alice"), HasSubstr("no regular file"));

  std::filesystem::remove(dir_.file("users"));
  std::filesystem::create_symlink("/dev/zero", dir_.file("users"));
  look();
  EXPECT_THAT(told("alice"), HasSubstr("no regular file"));
}

TEST_F(PasswdFile, RefusesAFileBeyondItsBound) {
  dir_.write("users", "alice:1\n");
  look();
  std::filesystem::resize_file(dir_.file("users"), kMaxPasswdFileBytes + 1);  // sparse
  pass(seconds(20));
  EXPECT_EQ(told("alice"), "{PLAIN}1");
  EXPECT_THAT(log_.lines(), Contains(HasSubstr("longer than")));
}

TEST_F(PasswdFile, FollowsASymbolicLinkAndItsChange) {
  dir_.write("one", "alice:1\n");
  dir_.write("two", "alice:2\n");
  std::filesystem::create_symlink(dir_.file("one"), dir_.file("users"));
  look();
  EXPECT_EQ(told("alice"), "{PLAIN}1");
  std::filesystem::remove(dir_.file("users"));
  std::filesystem::create_symlink(dir_.file("two"), dir_.file("users"));
  pass(seconds(1));
  EXPECT_EQ(told("alice"), "{PLAIN}2");
}

TEST_F(PasswdFile, TellsTheLineOfAMistakeAndEachFieldOnce) {
  dir_.write("users", "alice:1::::::proxy\nalice:2\nbob:1::::::proxy host=x\n");
  look();
  const auto lines = log_.lines();
  EXPECT_EQ(log_.count("passwd-file-line"), 1u);
  EXPECT_THAT(lines, Contains(HasSubstr("line=2")));
  EXPECT_EQ(log_.count("passwd-file-field"), 2u);
  EXPECT_THAT(lines, Contains(::testing::AllOf(HasSubstr("field=proxy"), HasSubstr("count=2"))));
  EXPECT_THAT(lines, Contains(::testing::AllOf(HasSubstr("accounts=2"), HasSubstr("problems=1"))));
}

TEST_F(PasswdFile, AnswersWhileItIsReplaced) {
  // Each version holds one number for all accounts: a mixture of two would show.
  const auto version = [](int number) {
    std::string bytes;
    for (int i = 0; i < 200; ++i) {
      bytes += "user" + std::to_string(i) + ":" + std::to_string(number) + "\n";
    }
    return bytes;
  };
  dir_.write("users", version(0));
  look();
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::atomic<int> lookups{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      int newest = 0;
      while (!over) {
        const std::string text = told("user7");
        const int number = text.starts_with("{PLAIN}") ? std::stoi(text.substr(7)) : -1;
        if (number < newest || listed(passdb(), "user19?").size() != 10) ++wrong;
        newest = number;
        (void)passdb().typical_credential();
        (void)passdb().status();
        ++lookups;
      }
    });
  }
  for (int number = 1; number <= 30; ++number) {
    dir_.replace("users", version(number));
    pass(seconds(1));
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(lookups, 0);
  EXPECT_EQ(told("user7"), "{PLAIN}30");
}

}  // namespace
}  // namespace saslatch::passdb
