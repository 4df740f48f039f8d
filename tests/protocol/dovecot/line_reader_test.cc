#include "protocol/dovecot/line_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/dovecot/wiped_buffer.h"

namespace saslatch::dovecot {
namespace {

using namespace std::string_view_literals;

// The lines of `bytes`, arriving `chunk` bytes at a time.
std::vector<std::string> lines_of(std::string_view bytes, size_t chunk) {
  LineReader reader(16);
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    reader.append(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
    while (true) {
      const auto line = reader.next();
      if (!line) {
        lines.push_back("error: " + line.error().message);
        return lines;
      }
      if (!*line) break;
      lines.emplace_back(**line);
    }
  }
  return lines;
}

struct Case {
  const char* name;
  std::string_view bytes;
  std::vector<std::string> lines;
};

const Case kCases[] = {
    {"ends lines at LF", "one\ntwo\n", {"one", "two"}},
    {"strips one CR", "one\r\ntwo\r\r\n", {"one", "two\r"}},
    {"keeps a CR inside", "o\rne\n", {"o\rne"}},
    {"knows empty lines", "\n\r\n\n", {"", "", ""}},
    {"returns nothing unfinished", "one\ntw", {"one"}},
    {"takes a line of the whole length", "123456789012345\n", {"123456789012345"}},
    {"refuses one byte more", "1234567890123456\n", {"error: line longer than 16 bytes"}},
    {"refuses it without waiting for its end",
     "ok\n1234567890123456",
     {"ok", "error: line longer than 16 bytes"}},
    {"refuses a NUL", "one\nt\0o\n"sv, {"one", "error: NUL byte in a line"}},
};

TEST(LineReader, CutsLinesHoweverTheyArrive) {
  for (const Case& c : kCases) {
    for (const size_t chunk : {1u, 2u, 3u, 7u, 1000u}) {
      EXPECT_EQ(lines_of(c.bytes, chunk), c.lines) << c.name << ", by " << chunk;
    }
  }
}

TEST(LineReader, OverwritesALineWhenTheNextIsAskedFor) {
  LineReader reader(100);
  reader.append("AUTH password\nrest");
  const std::string_view line = reader.next()->value();
  ASSERT_EQ(line, "AUTH password");
  EXPECT_EQ(reader.next().value(), std::nullopt);
  // The rest keeps the memory alive.
  EXPECT_EQ(line, std::string(line.size(), '\0'));
}

TEST(WipedBuffer, LeavesNothingBehindWhenItMovesItsBytes) {
  WipedBuffer buffer;
  buffer.append(std::string(200, 'x') + std::string(300, 'p'));
  const std::string_view all = buffer.view();
  buffer.consume(200);
  buffer.append(std::string(100, 'q'));  // fits only if moved to the front
  EXPECT_EQ(buffer.view(), std::string(300, 'p') + std::string(100, 'q'));
  EXPECT_EQ(buffer.view().data(), all.data());
  EXPECT_EQ(all.substr(400), std::string(100, '\0'));
  buffer.consume(400);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_EQ(all.find_first_not_of('\0'), std::string_view::npos);
}

TEST(WipedBuffer, KeepsItsBytesWhileItGrows) {
  WipedBuffer buffer;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece(static_cast<size_t>(i % 7), static_cast<char>('a' + i % 26));
    buffer.append(piece);
    expected += piece;
    if (i % 3 == 0 && expected.size() > 5) {
      buffer.consume(5);
      expected.erase(0, 5);
    }
  }
  EXPECT_EQ(buffer.view(), expected);
}

}  // namespace
}  // namespace saslatch::dovecot
