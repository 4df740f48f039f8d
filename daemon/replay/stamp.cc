#include "daemon/replay/stamp.h"

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>

namespace saslatch::replay {
namespace {

using namespace std::chrono;

// Eats what it matches from the front of a text; after a mismatch everything fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : begin_(text.data()), text_(text) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] size_t eaten() const { return static_cast<size_t>(text_.data() - begin_); }
  [[nodiscard]] bool next_is(char c) const { return ok_ && !text_.empty() && text_[0] == c; }
  [[nodiscard]] bool next_is_digit() const {
    return ok_ && !text_.empty() && text_[0] >= '0' && text_[0] <= '9';
  }

  bool skip(char c) {
    if (!next_is(c)) return ok_ = false;
    text_.remove_prefix(1);
    return true;
  }
  // Exactly `digits` digits, the value at most `max`.
  int number(int digits, int max) {
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      if (!next_is_digit()) return ok_ = false, 0;
      value = value * 10 + (text_[0] - '0');
      text_.remove_prefix(1);
    }
    ok_ = ok_ && value <= max;
    return value;
  }
  // ".123456": up to nine digits are read, six are kept.
  int fraction() {
    if (!next_is('.') && !next_is(',')) return 0;
    text_.remove_prefix(1);
    int micros = 0;
    int digits = 0;
    for (; next_is_digit(); ++digits, text_.remove_prefix(1)) {
      if (digits < 6) micros = micros * 10 + (text_[0] - '0');
      if (digits >= 9) return ok_ = false, 0;
    }
    ok_ = ok_ && digits > 0;
    for (; digits < 6; ++digits) micros *= 10;
    return micros;
  }
  std::string_view word() {
    const std::string_view found = text_.substr(0, text_.find(' '));
    text_.remove_prefix(found.size());
    return found;
  }

 private:
  const char* begin_;
  std::string_view text_;
  bool ok_ = true;
};

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

int month_of(std::string_view name) {
  for (size_t i = 0; i < kMonths.size(); ++i)
    if (kMonths[i] == name) return static_cast<int>(i) + 1;
  return 0;
}

void time_of_day(Scanner& scan, Civil& civil) {
  civil.hour = scan.number(2, 23);
  scan.skip(':');
  civil.minute = scan.number(2, 59);
  scan.skip(':');
  civil.second = scan.number(2, 60);  // a leap second
  civil.micros = scan.fraction();
}

bool is_date(const Civil& civil) {
  // Without a year: whatever a leap year has.
  const year_month_day date(year(civil.year == 0 ? 2000 : civil.year),
                            month(static_cast<unsigned>(civil.month)),
                            day(static_cast<unsigned>(civil.day)));
  return date.ok();
}

// "Nov  1 07:28:13.123 ", "Nov 01 07:28:13 ".
std::optional<Stamp> rfc3164(std::string_view text) {
  Stamp stamp;
  stamp.civil.month = month_of(text.substr(0, 3));
  if (stamp.civil.month == 0 || text.size() < 4) return std::nullopt;
  Scanner scan(text.substr(3));
  scan.skip(' ');
  if (scan.next_is(' ')) {
    scan.skip(' ');
    stamp.civil.day = scan.number(1, 9);
  } else {
    stamp.civil.day = scan.number(2, 31);
  }
  scan.skip(' ');
  time_of_day(scan, stamp.civil);
  scan.skip(' ');
  if (!scan.ok() || !is_date(stamp.civil)) return std::nullopt;
  stamp.length = 3 + scan.eaten();
  return stamp;
}

// "+01:00 ", "+0100 ", "Z ", or nothing but the blank.
void offset_of(Scanner& scan, Stamp& stamp) {
  if (scan.next_is('Z')) {
    scan.skip('Z');
    stamp.offset = 0;
  } else if (scan.next_is('+') || scan.next_is('-')) {
    const int sign = scan.next_is('-') ? -1 : 1;
    scan.skip(sign < 0 ? '-' : '+');
    const int hours = scan.number(2, 14);
    if (scan.next_is(':')) scan.skip(':');
    stamp.offset = sign * (hours * 3600 + scan.number(2, 59) * 60);
  }
}

// "2030-11-01T07:28:13.123456+01:00 ", "2030-11-01 07:28:13 ", short-full's "... 07:28:13 CET ".
std::optional<Stamp> iso(std::string_view text, bool zone_word) {
  Stamp stamp;
  Scanner scan(text);
  stamp.civil.year = scan.number(4, 9999);
  scan.skip('-');
  stamp.civil.month = scan.number(2, 12);
  scan.skip('-');
  stamp.civil.day = scan.number(2, 31);
  scan.skip(scan.next_is('T') ? 'T' : ' ');
  time_of_day(scan, stamp.civil);
  offset_of(scan, stamp);
  scan.skip(' ');
  if (zone_word && scan.ok()) {
    if (scan.word() == "UTC") stamp.offset = 0;
    scan.skip(' ');
  }
  if (!scan.ok() || stamp.civil.year < 1970 || !is_date(stamp.civil)) return std::nullopt;
  stamp.length = scan.eaten();
  return stamp;
}

// "1919748493.123456 ".
std::optional<Stamp> unix_seconds(std::string_view text) {
  Scanner scan(text);
  int64_t seconds = 0;
  int digits = 0;
  for (; scan.next_is_digit() && digits < 11; ++digits) seconds = seconds * 10 + scan.number(1, 9);
  if (digits < 9 || !scan.next_is('.')) return std::nullopt;
  const int micros = scan.fraction();
  scan.skip(' ');
  if (!scan.ok()) return std::nullopt;
  Stamp stamp;
  stamp.civil = civil_at(Time(std::chrono::seconds(seconds)), 0);
  stamp.civil.micros = micros;
  stamp.offset = 0;
  stamp.length = scan.eaten();
  return stamp;
}

int64_t hours_of(const Civil& civil) {
  const auto day = sys_days(year(civil.year) / civil.month / civil.day);
  return day.time_since_epoch().count() * 24 + civil.hour;
}

std::string zone_name() {
  if (const char* tz = std::getenv("TZ"); tz != nullptr && *tz != '\0')
    return *tz == ':' ? tz + 1 : tz;
  // Debian and most others: a link into the zone database, whose path is the name.
  std::error_code error;
  const std::string target = std::filesystem::read_symlink("/etc/localtime", error).string();
  const size_t at = target.rfind("zoneinfo/");
  if (!error && at != std::string::npos) return target.substr(at + 9);
  ::tzset();
  return tzname[0];
}

}  // namespace

std::optional<Stamp> parse_stamp(std::string_view line) {
  size_t skipped = 0;
  if (!line.empty() && line[0] == '<') {  // <PRI> of a raw syslog line
    const size_t end = line.find('>');
    if (end > 4) return std::nullopt;  // or there is none
    skipped = end + 1;
    line.remove_prefix(skipped);
  }
  std::optional<Stamp> stamp;
  if (line.size() > 4 && line[3] == ' ' && (line[0] >= 'A' && line[0] <= 'Z')) {
    stamp = rfc3164(line);
    if (!stamp) {  // "Fri 2030-11-01 ..."
      stamp = iso(line.substr(4), true);
      if (stamp) stamp->length += 4;
    }
  } else {
    stamp = iso(line, false);
    if (!stamp) stamp = unix_seconds(line);
  }
  if (stamp) stamp->length += skipped;
  return stamp;
}

Time utc(const Civil& civil) {
  return Time(sys_days(year(civil.year) / civil.month / civil.day)) + hours(civil.hour) +
         minutes(civil.minute) + seconds(civil.second) + microseconds(civil.micros);
}

Civil civil_at(Time time, int offset) {
  const Time local = time + seconds(offset);
  const auto day = floor<days>(local);
  const year_month_day date(day);
  const hh_mm_ss clock(local - day);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count())};
}

Time FixedZone::from_local(const Civil& civil) { return utc(civil) - seconds(offset_); }

SystemZone::SystemZone() : name_(zone_name()) {}

Time SystemZone::from_local(const Civil& civil) {
  const int64_t hour = hours_of(civil);
  if (hour != local_hour_) {
    std::tm tm{};
    tm.tm_year = civil.year - 1900;
    tm.tm_mon = civil.month - 1;
    tm.tm_mday = civil.day;
    tm.tm_hour = civil.hour;
    tm.tm_isdst = -1;
    local_hour_at_ = Time(seconds(std::mktime(&tm)));
    local_hour_ = hour;
  }
  return local_hour_at_ + minutes(civil.minute) + seconds(civil.second) +
         microseconds(civil.micros);
}

int SystemZone::offset_at(Time time) {
  const auto hour = floor<hours>(time).time_since_epoch().count();
  if (hour != hour_) {
    const auto at = static_cast<std::time_t>(floor<seconds>(time).time_since_epoch().count());
    std::tm tm{};
    ::localtime_r(&at, &tm);
    offset_ = static_cast<int>(tm.tm_gmtoff);
    hour_ = hour;
  }
  return offset_;
}

void YearGuess::complete(Civil& civil) {
  if (year_ == 0) {
    const Time latest = written_ + kSlack;
    const Civil end = civil_at(latest, 0);
    civil.year = end.year;
    if (utc(civil) > latest) --civil.year;
  } else {
    // A log goes forward, so an earlier month is next year's; but lines in disorder may be of the
    // month before, and around New Year of the year before.
    civil.year = year_;
    if (civil.month < month_ - 1) ++civil.year;
    if (civil.month == 12 && month_ == 1) --civil.year;
  }
  year_ = civil.year;
  month_ = civil.month;
}

}  // namespace saslatch::replay
