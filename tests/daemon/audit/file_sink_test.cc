#include "daemon/audit/file_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "tests/daemon/audit/recording_log.h"

namespace saslatch {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class AuditFileTest : public testing::Test {
 protected:
  AuditFileTest() {
    std::string pattern = testing::TempDir() + "audit-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/audit.jsonl";
  }
  ~AuditFileTest() override { fs::remove_all(folder_); }

  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::vector<std::string> lines(const std::string& path) {
    std::ifstream in(path);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

  std::string folder_, path_;
  RecordingLog log_;
  const AuditFile::Time t0_{1h};
};

TEST_F(AuditFileTest, IsForItsOwnerAndReadableForItsGroup) {
  const mode_t before = umask(0);
  AuditFile file(path_, log_);
  EXPECT_EQ(file.append("one\n", t0_), 4u);
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
}

TEST_F(AuditFileTest, AppendsToWhatIsThere) {
  { AuditFile(path_, log_).append("one\n", t0_); }
  AuditFile file(path_, log_);
  file.append("two\n", t0_);
  EXPECT_EQ(content(path_), "one\ntwo\n");
}

TEST_F(AuditFileTest, ComplainsOnceAMinuteAndRecoversByItself) {
  const std::string missing = folder_ + "/none/audit.jsonl";
  AuditFile file(missing, log_);
  for (int second = 0; second < 125; ++second) EXPECT_EQ(file.append("x\n", t0_ + second * 1s), 0u);
  EXPECT_EQ(log_.count("audit-unwritable"), 3u);
  fs::create_directory(folder_ + "/none");
  EXPECT_EQ(file.append("x\n", t0_ + 124s + 500ms), 0u) << "opened more than once a second";
  EXPECT_EQ(file.append("x\n", t0_ + 125s), 2u);
  EXPECT_EQ(log_.count("audit-writable"), 1u);
  EXPECT_EQ(content(missing), "x\n");
  fs::remove_all(folder_ + "/none");
  file.reopen();
  EXPECT_EQ(file.append("x\n", t0_ + 126s), 0u);
  EXPECT_EQ(log_.count("audit-unwritable"), 4u) << "a new trouble waited for the old one's minute";
}

TEST_F(AuditFileTest, SaysAtOnceThatAFullDiskIsFull) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  AuditFile file("/dev/full", log_);
  EXPECT_EQ(file.append("x\n", t0_), 0u);
  ASSERT_EQ(log_.count("audit-unwritable"), 1u);
  EXPECT_NE(log_.lines()[0].find("No space left"), std::string::npos);
}

TEST_F(AuditFileTest, DoesNotHangOnAFifoNobodyReads) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  AuditFile file(path_, log_);
  EXPECT_EQ(file.append("x\n", t0_), 0u);
  EXPECT_EQ(log_.count("audit-unwritable"), 1u);
}

TEST_F(AuditFileTest, GoesOnInANewFileAfterTheOldOneWasMovedAway) {
  AuditFile file(path_, log_);
  file.append("one\n", t0_);
  fs::rename(path_, path_ + ".1");
  file.append("two\n", t0_);
  file.reopen();
  file.append("three\n", t0_);
  EXPECT_EQ(content(path_ + ".1"), "one\ntwo\n");
  EXPECT_EQ(content(path_), "three\n");
}

using FileAuditSinkTest = AuditFileTest;

TEST_F(FileAuditSinkTest, WritesEveryEventOfEveryThreadAsOneWholeLine) {
  constexpr int kThreads = 4, kEvents = 2000;
  {
    FileAuditSink sink(path_, log_);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&sink, t] {
        for (int i = 0; i < kEvents; ++i) {
          sink.write(DaemonEvent{{}, "test", {{"thread", std::to_string(t)}}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(sink.dropped(), 0u);
  }
  std::map<std::string, int> events;
  for (const std::string& line : lines(path_)) ++events[nlohmann::json::parse(line)["thread"]];
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(events[std::to_string(t)], kEvents);
}

TEST_F(FileAuditSinkTest, HasALoneEventInTheFileWithoutWaitingForMore) {
  FileAuditSink sink(path_, log_);
  sink.write(DaemonEvent{{}, "one", {}});
  sink.flush();
  EXPECT_EQ(lines(path_).size(), 1u);
}

TEST_F(FileAuditSinkTest, KeepsWhatCouldNotBeWrittenUntilItCan) {
  const std::string missing = folder_ + "/none/audit.jsonl";
  FileAuditSink sink(missing, log_);
  sink.write(DaemonEvent{{}, "one", {}});
  sink.flush();
  EXPECT_EQ(log_.count("audit-unwritable"), 1u);
  EXPECT_EQ(sink.trouble(), "No such file or directory");
  fs::create_directory(folder_ + "/none");
  sink.write(DaemonEvent{{}, "two", {}});
  sink.reopen();
  sink.flush();
  EXPECT_EQ(sink.trouble(), "");
  EXPECT_EQ(lines(missing).size(), 2u);
}

// Files of this process end at `bytes` while this lives, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

TEST_F(FileAuditSinkTest, GoesOnInTheMiddleOfALineWhenTheDiskHasRoomAgain) {
  FileAuditSink sink(path_, log_);
  {
    const FileSizeLimit full(100);
    for (const char* name : {"one", "two", "three"}) sink.write(DaemonEvent{{}, name, {}});
    sink.flush();
  }
  EXPECT_EQ(content(path_).size(), 100u);
  sink.flush();
  const auto all = lines(path_);
  ASSERT_EQ(all.size(), 3u);
  for (const std::string& line : all) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  EXPECT_EQ(sink.dropped(), 0u);
}

TEST_F(FileAuditSinkTest, LeavesNoHalfALineInANewFile) {
  FileAuditSink sink(path_, log_);
  {
    const FileSizeLimit full(100);
    for (const char* name : {"one", "two", "three"}) sink.write(DaemonEvent{{}, name, {}});
    sink.flush();
    fs::rename(path_, path_ + ".1");
    sink.reopen();
  }
  sink.flush();
  const auto all = lines(path_);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(all[0])["name"], "three");
  EXPECT_EQ(nlohmann::json::parse(all[1])["name"], "audit-dropped");
  EXPECT_EQ(sink.dropped(), 1u);
}

TEST_F(FileAuditSinkTest, DropsInsteadOfWaitingAndTellsHowMany) {
  const std::string missing = folder_ + "/none/audit.jsonl";
  FileAuditSink sink(missing, log_);
  const DaemonEvent event{{}, "flood", {{"filling", std::string(1000, 'x')}}};
  const size_t size = to_json_line(event).size();
  const size_t fits = FileAuditSink::kMaxQueuedBytes / size;
  for (size_t i = 0; i < fits + 10; ++i) sink.write(event);
  EXPECT_EQ(sink.dropped(), 10u);
  EXPECT_EQ(sink.take_dropped(), 10u);
  EXPECT_EQ(sink.take_dropped(), 0u);
  fs::create_directory(folder_ + "/none");
  sink.reopen();
  sink.flush();
  const auto all = lines(missing);
  ASSERT_EQ(all.size(), fits + 1);
  const auto last = nlohmann::json::parse(all.back());
  EXPECT_EQ(last["name"], "audit-dropped");
  EXPECT_EQ(last["events"], "10");
  EXPECT_EQ(log_.count("audit-dropped"), 1u);
}

}  // namespace
}  // namespace saslatch
