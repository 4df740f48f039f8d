#ifndef SASLATCH_DAEMON_REPLAY_SOURCE_H_
#define SASLATCH_DAEMON_REPLAY_SOURCE_H_

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/replay/line_reader.h"
#include "protocol/base/result.h"

namespace saslatch::replay {

// The lines of a plain or compressed (gzip, xz, zstd, told by its first bytes) file. Bounded: one
// buffer, and never more than kMaxLine of a line. Throws nothing: a damaged file ends early, and
// damage() says why.
class LineFile {
 public:
  enum class Line {
    kWhole,
    kTooLong,  // `text` has its beginning; the rest is skipped
    kCutOff,   // the last one, without a newline
    kEnd,
  };

  // `path` may be "-": standard input.
  static saslatch::Result<std::unique_ptr<LineFile>> open(const std::string& path);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // `text` is good until the next call.
  Line next(std::string_view& text);
  [[nodiscard]] uint64_t number() const { return number_; }  // of the last line, from 1
  [[nodiscard]] uint64_t bytes_read() const;                 // of the file itself, compressed
  // Why it ended before its end; empty: it did not.
  [[nodiscard]] const std::string& damage() const { return damage_; }

 private:
  struct Streams;
  explicit LineFile(std::unique_ptr<Streams> streams);
  bool fill();

  std::unique_ptr<Streams> streams_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool at_end_ = false;
  uint64_t number_ = 0;
  std::string damage_;
};

// A fact, and where it stands.
struct Located {
  Fact fact;
  uint32_t file = 0;
  uint64_t line = 0;
};

// What was read of one file, for people.
struct FileReport {
  std::string path;  // "standard input" for "-"
  uint64_t lines = 0;
  uint64_t facts = 0;
  std::string damage;
  bool guessed_year = false;
  bool used_zone = false;
  bool beyond_written = false;
};

// The facts of several files, merged by time. A file is opened when the time of its first line has
// come, and closed at its end: a year of rotated logs has one file open at a time.
class FactStream {
 public:
  struct File {
    std::string path;
    Time written;        // when it was last written; for "-" the present
    uint64_t bytes = 0;  // 0: not known
  };

  // `zone` outlives it. The error names the file that cannot be read.
  static saslatch::Result<std::unique_ptr<FactStream>> open(const std::vector<File>& files,
                                                            Format format, Zone& zone);

  // In order of time as far as each file is; false: there is no more.
  bool next(Located& located);

  [[nodiscard]] const std::vector<FileReport>& reports() const { return reports_; }
  [[nodiscard]] const Leftovers& leftovers() const { return leftovers_; }
  [[nodiscard]] uint64_t bytes_read() const;
  [[nodiscard]] uint64_t bytes_in_all() const { return bytes_in_all_; }  // 0: not known

 private:
  struct Source {
    File file;
    uint32_t index = 0;
    Time first;  // of its first line with a stamp
    std::unique_ptr<LineFile> lines;
    std::unique_ptr<LineReader> reader;
    Fact head;
    uint64_t head_line = 0;
  };

  FactStream(Format format, Zone& zone) : format_(format), zone_(zone) {}
  saslatch::Result<std::unique_ptr<LineFile>> look_at(Source& source);
  bool start(Source& source);
  bool advance(Source& source);
  void close(Source& source);

  Format format_;
  Zone& zone_;
  std::vector<Source> waiting_;  // the one that begins next at the back
  std::vector<Source> active_;   // with a head each
  std::vector<FileReport> reports_;
  Leftovers leftovers_;
  uint64_t bytes_closed_ = 0;
  uint64_t bytes_in_all_ = 0;
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_SOURCE_H_
