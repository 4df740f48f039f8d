#include "protocol/dovecot/line_reader.h"

namespace saslatch::dovecot {

LineReader::Next LineReader::next() {
  if (returned_ != 0) {
    buffer_.consume(returned_);
    returned_ = 0;
  }
  const std::string_view bytes = buffer_.view();
  const size_t end = bytes.find('\n', scanned_);
  if (end == std::string_view::npos) {
    scanned_ = bytes.size();
    return {scanned_ < max_line_ ? Status::kNone : Status::kTooLong, {}};
  }
  if (end >= max_line_) return {Status::kTooLong, {}};
  returned_ = end + 1;
  scanned_ = 0;
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find('\0') != std::string_view::npos) return {Status::kNul, {}};
  return {Status::kLine, line};
}

}  // namespace saslatch::dovecot
