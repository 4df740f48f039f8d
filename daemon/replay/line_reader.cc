#include "daemon/replay/line_reader.h"

#include <algorithm>

namespace saslatch::replay {
namespace {

bool has_control_bytes(std::string_view line) {
  return std::any_of(line.begin(), line.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; });
}

}  // namespace

LineResult LineReader::read(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() > kMaxLine) return Unusable::kTooLong;
  const bool audit = format_ == Format::kAudit || (reads(Format::kAudit) && line.starts_with('{'));
  LineResult result = audit ? parse_audit(line) : read_syslog(line);
  if (const auto* unusable = std::get_if<Unusable>(&result)) {
    // Only looked for where nothing else fits: a log of 10 GB is not read twice for this.
    if (!is_ordinary(*unusable) && has_control_bytes(line)) return Unusable::kBinary;
  }
  return result;
}

LineResult LineReader::read_syslog(std::string_view line) {
  const auto stamp = parse_stamp(line);
  if (!stamp) return Unusable::kNoStamp;
  const Time at = moment(*stamp);
  const auto tagged = split_tag(line.substr(stamp->length));
  if (!tagged) return Unusable::kOtherProgram;
  LineResult result = Unusable::kOtherProgram;
  if (tagged->program.ends_with("/smtpd")) {
    if (reads(Format::kPostfix)) result = parse_smtpd(*tagged);
  } else if (tagged->program.empty() || tagged->program == "dovecot") {
    if (reads(Format::kDovecot)) result = parse_dovecot(tagged->message);
  }
  if (auto* fact = std::get_if<Fact>(&result)) {
    fact->at = at;
    guessed_year_ = guessed_year_ || stamp->civil.year == 0;
    used_zone_ = used_zone_ || !stamp->offset;
    beyond_written_ = beyond_written_ || (stamp->civil.year == 0 && years_.is_beyond(at));
  }
  return result;
}

Time LineReader::moment(const Stamp& stamp) {
  Civil civil = stamp.civil;
  if (civil.year == 0) {
    years_.complete(civil);
    // 29 February of a year that has none: the guess is wrong, but the line is not lost.
    if (!std::chrono::year(civil.year).is_leap() && civil.month == 2 && civil.day == 29)
      civil.day = 28;
  }
  if (stamp.offset) return utc(civil) - std::chrono::seconds(*stamp.offset);
  return zone_.from_local(civil);
}

std::optional<Time> LineReader::time_of(std::string_view line) const {
  LineReader copy = *this;
  if (line.starts_with('{')) {
    const LineResult result = parse_audit(line);
    if (const auto* fact = std::get_if<Fact>(&result)) return fact->at;
    return std::nullopt;
  }
  const auto stamp = parse_stamp(line);
  if (!stamp) return std::nullopt;
  return copy.moment(*stamp);
}

void Leftovers::add(Unusable unusable, std::string_view file, uint64_t line,
                    std::string_view text) {
  constexpr size_t kShown = 200;
  Kind& kind = kinds_[static_cast<size_t>(unusable)];
  if (kind.lines++ > 0) return;
  kind.file = file;
  kind.line = line;
  // auth_verbose_passwords = plain
  const size_t password = text.find("given password");
  kind.example = text.substr(0, std::min(password, kShown));
  if (kind.example.size() < text.size()) kind.example += "...";
}

}  // namespace saslatch::replay
