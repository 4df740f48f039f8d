// Files to facts: compressed, merged, damaged.
#include "daemon/replay/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_stream.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/replay/pipe.h"
#include "tests/daemon/replay/kit.h"

namespace saslatch::replay {
namespace {

namespace io = boost::iostreams;
using ::testing::ElementsAre;

class Sources : public ::testing::Test {
 protected:
  Sources() {
    char name[] = "/tmp/saslatch-source-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~Sources() override { std::filesystem::remove_all(folder_); }

  FactStream::File file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return {path, kWritten, text.size()};
  }

  // "user@file:line" of each fact.
  std::vector<std::string> read(const std::vector<FactStream::File>& files) {
    auto stream = FactStream::open(files, Format::kAuto, utc_zone());
    EXPECT_TRUE(stream) << stream.error().message;
    stream_ = std::move(*stream);
    std::vector<std::string> facts;
    Located located;
    while (stream_->next(located))
      facts.push_back(located.fact.user + "@" + std::to_string(located.file) + ":" +
                      std::to_string(located.line));
    return facts;
  }
  [[nodiscard]] uint64_t left(Unusable unusable) const {
    return stream_->leftovers()[unusable].lines;
  }

  std::string folder_;
  std::unique_ptr<FactStream> stream_;
};

std::string line(const std::string& at, const std::string& user) {
  return "Nov " + at + " mx dovecot: auth: x(" + user + ",192.0.2.1): unknown user\n";
}

template <typename Compressor>
std::string compressed(const std::string& text, Compressor compressor) {
  std::istringstream in(text);
  io::filtering_istream filtered;
  filtered.push(compressor);
  filtered.push(in);
  std::ostringstream out;
  io::copy(filtered, out);
  return out.str();
}

TEST_F(Sources, AreMergedByTimeWhateverTheirOrderAndForm) {
  const std::string first = line("01 00:00:01", "a") + line("03 00:00:01", "c");
  const std::string second = line("02 00:00:01", "b") + line("04 00:00:01", "d");
  const std::string third = line("05 00:00:01", "e");
  const std::string fourth = line("06 00:00:01", "f");
  EXPECT_THAT(read({file("plain", third), file("x.gz", compressed(second, io::gzip_compressor())),
                    file("y.xz", compressed(first, io::lzma_compressor())),
                    file("no-ending", compressed(fourth, io::zstd_compressor()))}),
              ElementsAre("a@2:1", "b@1:1", "c@2:2", "d@1:2", "e@0:1", "f@3:1"));
}

TEST_F(Sources, MayBeSeveralCompressedPiecesInOne) {
  const std::string a = line("01 00:00:01", "a"), b = line("02 00:00:01", "b");
  EXPECT_THAT(read({file("gz", compressed(a, io::gzip_compressor()) +
                                   compressed(b, io::gzip_compressor()))}),
              ElementsAre("a@0:1", "b@0:2"));
  EXPECT_THAT(read({file("zst", compressed(a, io::zstd_compressor()) +
                                    compressed(b, io::zstd_compressor()))}),
              ElementsAre("a@0:1", "b@0:2"));
  EXPECT_THAT(read({file("xz", compressed(a, io::lzma_compressor()) +
                                   compressed(b, io::lzma_compressor()))}),
              ElementsAre("a@0:1", "b@0:2"));
}

TEST_F(Sources, CountWhatTheyCannotUse) {
  const std::string text = "garbage\n" + line("01 00:00:01", "a") + std::string(1 << 20, 'x') +
                           "\n" + std::string("\x00\x01\n", 3) + line("02 00:00:01", "b") +
                           "Nov 02 00:00:01 mx cron[1]: x\n{\"ts\":\n" +
                           line("03 00:00:01", "cut").substr(0, 40);
  EXPECT_THAT(read({file("log", text)}), ElementsAre("a@0:2", "b@0:5"));
  EXPECT_EQ(left(Unusable::kNoStamp), 1u);
  EXPECT_EQ(left(Unusable::kTooLong), 1u);
  EXPECT_EQ(left(Unusable::kBinary), 1u);
  EXPECT_EQ(left(Unusable::kOtherProgram), 1u);
  EXPECT_EQ(left(Unusable::kBadJson), 1u);
  EXPECT_EQ(left(Unusable::kCutOff), 1u);
  EXPECT_EQ(stream_->leftovers()[Unusable::kNoStamp].example, "garbage");
  EXPECT_EQ(stream_->leftovers()[Unusable::kCutOff].line, 8u);
  EXPECT_EQ(stream_->reports()[0].lines, 8u);
}

TEST_F(Sources, TakeAWholeJsonObjectWithoutANewline) {
  EXPECT_THAT(read({file("audit", R"({"ts":"2030-11-21T07:28:13Z","event":"auth","outcome":"ok",)"
                                  R"("user":"alice","rip":"192.0.2.1","mech":"PLAIN"})")}),
              ElementsAre("alice@0:1"));
}

TEST_F(Sources, KeepNoPasswordOfALineTheyCannotRead) {
  Leftovers leftovers;
  leftovers.add(Unusable::kUnknownForm, "f", 1, "auth: x: Password mismatch (given password: pw)");
  EXPECT_EQ(leftovers[Unusable::kUnknownForm].example, "auth: x: Password mismatch (...");
}

TEST_F(Sources, GoOnBehindADamagedFileAndSaySo) {
  std::string text;
  for (int i = 0; i < 20000; ++i)
    text += line("01 00:00:01", "a" + std::to_string(i * 7919 % 1000));
  const std::string whole = compressed(text, io::gzip_compressor());
  const auto facts = read(
      {file("half.gz", whole.substr(0, whole.size() / 2)), file("log", line("02 00:00:01", "b"))});
  ASSERT_GT(facts.size(), 1000u);
  EXPECT_LT(facts.size(), 20001u);
  EXPECT_EQ(facts.back(), "b@1:1");
  EXPECT_NE(stream_->reports()[0].damage, "");
  EXPECT_EQ(stream_->reports()[1].damage, "");
}

TEST_F(Sources, ThatAreMissingAreAnError) {
  const auto stream =
      FactStream::open({{folder_ + "/none", kWritten, 0}}, Format::kAuto, utc_zone());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().message, folder_ + "/none: No such file or directory");
}

TEST_F(Sources, MayBeEmpty) {
  EXPECT_THAT(read({file("empty", "")}), ElementsAre());
  EXPECT_EQ(stream_->reports()[0].lines, 0u);
}

TEST(Pipe, GivesEachItemOnceAndInOrder) {
  Pipe<int> pipe;
  const Worker writer(
      [&] {
        for (int i = 0; i < 50'000; ++i) {
          int* item = pipe.fill();
          ASSERT_NE(item, nullptr);
          *item = i;
          if (i % 7 == 0) pipe.unfill();  // not wanted after all
        }
        pipe.finish();
      },
      [&] { pipe.stop(); });
  int expected = 0;
  while (const int* item = pipe.next()) {
    if (expected % 7 == 0) ++expected;
    ASSERT_EQ(*item, expected++);
  }
  EXPECT_EQ(expected, 50'000);
}

TEST(Pipe, PassesOnTheTroubleBehindWhatCameBefore) {
  Pipe<int> pipe;
  *pipe.fill() = 1;
  pipe.finish(std::make_exception_ptr(std::runtime_error("disk")));
  EXPECT_EQ(*pipe.next(), 1);
  EXPECT_THROW(pipe.next(), std::runtime_error);
}

TEST(Pipe, EndsAWriterWhoseReaderHasGone) {
  Pipe<int> pipe;
  int filled = 0;
  {
    const Worker writer(
        [&] {
          while (pipe.fill() != nullptr) ++filled;
        },
        [&] { pipe.stop(); });
    EXPECT_NE(pipe.next(), nullptr);
  }
  EXPECT_GT(filled, 0);
}

}  // namespace
}  // namespace saslatch::replay
