#ifndef SASLATCH_DAEMON_REPLAY_LINE_READER_H_
#define SASLATCH_DAEMON_REPLAY_LINE_READER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/replay/fact.h"
#include "daemon/replay/stamp.h"

namespace saslatch::replay {

// Reads the lines of one file, in order. Pure but for what it remembers: the year of the line
// before. `zone` outlives it.
class LineReader {
 public:
  // `written`: when the file was last written, for stamps without a year.
  LineReader(Format format, Zone& zone, Time written)
      : format_(format), zone_(zone), years_(written) {}

  // `line` without its newline, at most kMaxLine bytes.
  LineResult read(std::string_view line);
  // When `line` was written, whatever it is about; does not change what the reader remembers.
  [[nodiscard]] std::optional<Time> time_of(std::string_view line) const;

  // Of the facts so far: some had no year, some no zone, some lie after `written`.
  [[nodiscard]] bool guessed_year() const { return guessed_year_; }
  [[nodiscard]] bool used_zone() const { return used_zone_; }
  [[nodiscard]] bool beyond_written() const { return beyond_written_; }

 private:
  [[nodiscard]] bool reads(Format format) const {
    return format_ == Format::kAuto || format_ == format;
  }
  LineResult read_syslog(std::string_view line);
  Time moment(const Stamp& stamp);

  Format format_;
  Zone& zone_;
  YearGuess years_;
  bool guessed_year_ = false;
  bool used_zone_ = false;
  bool beyond_written_ = false;
};

// What could not be used, by kind, with the first line of each.
class Leftovers {
 public:
  struct Kind {
    uint64_t lines = 0;
    std::string file;
    uint64_t line = 0;
    std::string example;  // shortened, and without what may be a password
  };

  void add(Unusable unusable, std::string_view file, uint64_t line, std::string_view text);
  // Takes over what `other` has of this kind, of which nothing is here.
  void add(const Leftovers& other, Unusable unusable) {
    kinds_[static_cast<size_t>(unusable)] = other[unusable];
  }
  [[nodiscard]] const Kind& operator[](Unusable unusable) const {
    return kinds_[static_cast<size_t>(unusable)];
  }

 private:
  std::array<Kind, kUnusables> kinds_;
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_LINE_READER_H_
