#include "protocol/dovecot/line_reader.h"

#include <string>

namespace saslatch::dovecot {

Result<std::optional<std::string_view>> LineReader::next() {
  if (returned_ != 0) {
    buffer_.consume(returned_);
    returned_ = 0;
  }
  const std::string_view bytes = buffer_.view();
  const size_t end = bytes.find('\n', scanned_);
  if (end == std::string_view::npos) {
    scanned_ = bytes.size();
    if (scanned_ < max_line_) return std::nullopt;
  }
  if (end >= max_line_) {
    return failure("line longer than " + std::to_string(max_line_) + " bytes");
  }
  returned_ = end + 1;
  scanned_ = 0;
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find('\0') != std::string_view::npos) return failure("NUL byte in a line");
  return line;
}

}  // namespace saslatch::dovecot
