#ifndef SASLATCH_DAEMON_REPLAY_STAMP_H_
#define SASLATCH_DAEMON_REPLAY_STAMP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/policy/rule.h"

namespace saslatch::replay {

using policy::Time;

// A date and time of day as a clock on the wall shows it.
struct Civil {
  int year = 0;  // 0: the stamp has none
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int micros = 0;

  friend bool operator==(const Civil&, const Civil&) = default;
};

// The time stamp at the head of a log line.
struct Stamp {
  Civil civil;
  std::optional<int> offset;  // seconds east of UTC; absent: the writer's local time
  size_t length = 0;          // of its text, with the blank behind it
};

// Reads the stamps of syslog (RFC 3164 "Nov  1 07:28:13", with or without a fraction), of rsyslog
// and journalctl ("2030-11-01T07:28:13.123456+01:00", "+0100" too; short-full's
// "Fri 2030-11-01 07:28:13 CET", short-unix's seconds since 1970) and of Dovecot's own log file
// ("2030-11-01 07:28:13"). A "<PRI>" in front is skipped. nullopt: `line` begins with none of them.
// Pure.
std::optional<Stamp> parse_stamp(std::string_view line);

// The rules by which a local time is turned into UTC and back. Not thread-safe: it may remember.
class Zone {
 public:
  virtual ~Zone() = default;
  // The moment a local clock showed `civil`, whose year is known. In the hour that a clock shows
  // twice in autumn, one of the two; a time that no clock showed is moved as mktime(3) does.
  virtual Time from_local(const Civil& civil) = 0;
  // Seconds east of UTC at `time`.
  virtual int offset_at(Time time) = 0;
  // For people: "UTC", "Europe/Berlin".
  [[nodiscard]] virtual std::string name() const = 0;
};

// Always `offset` seconds east of UTC.
class FixedZone : public Zone {
 public:
  FixedZone(int offset, std::string name) : offset_(offset), name_(std::move(name)) {}
  Time from_local(const Civil& civil) override;
  int offset_at(Time) override { return offset_; }
  [[nodiscard]] std::string name() const override { return name_; }

 private:
  int offset_;
  std::string name_;
};

// The time zone of the process: the variable TZ, else /etc/localtime.
class SystemZone : public Zone {
 public:
  SystemZone();
  Time from_local(const Civil& civil) override;
  int offset_at(Time time) override;
  [[nodiscard]] std::string name() const override { return name_; }

 private:
  std::string name_;
  // mktime(3) and localtime_r(3) take microseconds, and a log asks for the same hour thousands of
  // times in a row.
  int64_t local_hour_ = INT64_MIN;
  Time local_hour_at_;
  int64_t hour_ = INT64_MIN;
  int offset_ = 0;
};

// Gives stamps without a year one. A file is taken to end about when it was last written, so its
// first line is in the latest year that does not put it more than a day after that; from there on
// the year follows the months over each New Year. So it is right for files that span less than a
// year; later lines that end up more than a day after `written` are told by is_beyond().
class YearGuess {
 public:
  explicit YearGuess(Time written) : written_(written) {}
  // Sets `civil.year`.
  void complete(Civil& civil);
  // Whether a completed time lies after the file was written: the year is one too many, or the
  // file's date is not to be believed.
  [[nodiscard]] bool is_beyond(Time time) const { return time > written_ + kSlack; }

 private:
  // Clocks of two machines, and time zones.
  static constexpr policy::Duration kSlack = std::chrono::hours(24);
  Time written_;
  int year_ = 0;   // of the line before
  int month_ = 0;  // of the line before
};

// The civil time `offset` seconds east of UTC.
Civil civil_at(Time time, int offset);
// As if `civil` were UTC.
Time utc(const Civil& civil);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_STAMP_H_
